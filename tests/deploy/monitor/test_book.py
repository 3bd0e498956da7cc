"""Somebody is told once when it begins and once when it ends, whatever is restarted, lost or flaps."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.monitor.book import MOST_OF_A_KIND, read_alerts
from deploy.monitor.check import Finding
from deploy.monitor.kinds import KINDS
from deploy.monitor.monitor import Monitor
from expectations.settings import AlertSettings
from tests.deploy.monitor.looking import NOBODY, NOW, Says, look_at, monitor_settings
from tests.expectations.test_alerts import web_server

# Some of Apprise's 180 channels use what Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FAILED = Finding("AuditFailed", "newest", "The audit of snapshot 7 failed.")
DOWN = Finding("PartDown", "serving", "serving does not say that it is well.")


def told(port: int) -> AlertSettings:
    return AlertSettings(_env_file=None, urls=SecretStr(f"json://127.0.0.1:{port}/"))


def test_it_is_told_once_when_it_begins_and_once_when_it_is_over(tmp_path: Path) -> None:
    says = Says(FAILED)
    with web_server() as (port, taken):
        monitor = Monitor([says], monitor_settings(tmp_path), told(port))
        later = look_at(monitor, times=5)
        says.findings = ()
        look_at(monitor, times=5, began=later)
    assert [(alert["title"], alert["type"]) for alert in taken] == [
        ("Canopy: The newest audit failed (AuditFailed, newest)", "failure"),
        ("Canopy: over: The newest audit failed (AuditFailed, newest)", "success"),
    ]
    assert "The audit of snapshot 7 failed." in taken[0]["message"]


def test_a_restart_tells_nothing_again_and_forgets_nothing(tmp_path: Path) -> None:
    with web_server() as (port, taken):
        for _ in range(3):
            look_at(Monitor([Says(FAILED)], monitor_settings(tmp_path), told(port)))
        look_at(Monitor([Says()], monitor_settings(tmp_path), told(port)), times=3)
    assert len(taken) == 2
    assert "over" in taken[1]["title"]


def test_what_needs_time_to_be_believed_is_told_after_it(tmp_path: Path) -> None:
    monitor = Monitor([Says(DOWN)], monitor_settings(tmp_path), NOBODY)
    later = look_at(monitor, times=2)
    assert monitor.active == []
    look_at(monitor, began=later)
    assert [(one.kind, one.subject, one.began_at) for one in monitor.active] == [("PartDown", "serving", NOW)]


def test_one_look_that_misses_it_ends_nothing(tmp_path: Path) -> None:
    says = Says(FAILED)
    monitor = Monitor([says], monitor_settings(tmp_path), NOBODY)
    later = look_at(monitor)
    says.findings = ()
    later = look_at(monitor, began=later)
    says.findings = (FAILED,)
    look_at(monitor, began=later)
    assert [one.began_at for one in monitor.active] == [NOW]


def test_what_flaps_sends_a_bounded_number_of_messages_and_the_last_state_is_told(tmp_path: Path) -> None:
    says, later = Says(FAILED), NOW
    with web_server() as (port, taken):
        monitor = Monitor([says], monitor_settings(tmp_path, messages_per_hour=3), told(port))
        for _ in range(10):
            says.findings = () if says.findings else (FAILED,)
            later = look_at(monitor, times=3, began=later)
        assert len(taken) == 3
        says.findings = ()
        look_at(monitor, times=2, began=later + timedelta(hours=1))
        assert len(taken) == 4
        assert "over" in taken[-1]["title"]


def test_what_no_address_took_is_told_again_and_is_itself_an_alert(tmp_path: Path) -> None:
    with web_server(status=500) as (broken, refused):
        monitor = Monitor([Says(FAILED)], monitor_settings(tmp_path), told(broken))
        later = look_at(monitor, times=2)
        assert len(refused) == 2
        assert {one.kind for one in monitor.active} == {"AuditFailed", "MessageFailed"}
    with web_server() as (port, taken):
        look_at(Monitor([Says(FAILED)], monitor_settings(tmp_path), told(port)), times=3, began=later)
    assert "The audit of snapshot 7 failed." in taken[0]["message"]


def test_a_look_that_fails_is_an_alert_and_ends_none_of_its_own(tmp_path: Path) -> None:
    says = Says(FAILED)
    monitor = Monitor([says], monitor_settings(tmp_path), NOBODY)
    later = look_at(monitor)
    says.fails = True
    later = look_at(monitor, times=6, began=later)
    assert {one.kind for one in monitor.active} == {"AuditFailed", "LookFailed"}
    assert "the disk is gone" in next(one.text for one in monitor.active if one.kind == "LookFailed")
    says.fails, says.findings = False, ()
    look_at(monitor, times=2, began=later)
    assert monitor.active == []


def test_one_look_that_fails_does_not_blind_the_others(tmp_path: Path) -> None:
    broken = Says()
    broken.fails = True
    monitor = Monitor([broken, Says(FAILED)], monitor_settings(tmp_path), NOBODY)
    look_at(monitor)
    assert "AuditFailed" in {one.kind for one in monitor.active}


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"", b"\0" * 40, b"{}", b"[]", b'{"alerts": [{}], "sent_at": []}', b"\xff", b"[" * 99_999),
        b'{"looked_at": "2026-11-22T13:00:00", "alerts": [], "sent_at": []}',  # no zone
    ],
)
def test_a_damaged_book_costs_a_second_message_and_nothing_else(tmp_path: Path, garbage: bytes) -> None:
    file = tmp_path / "monitor" / "alerts.json"
    look_at(Monitor([Says(FAILED)], monitor_settings(tmp_path), NOBODY))
    file.write_bytes(garbage)
    assert read_alerts(file.parent) == (None, [])
    monitor = Monitor([Says(FAILED)], monitor_settings(tmp_path), NOBODY)
    look_at(monitor)
    assert [one.kind for one in monitor.active] == ["AuditFailed"]
    looked_at, alerts = read_alerts(file.parent)
    assert looked_at == NOW
    assert [one.kind for one in alerts] == ["AuditFailed"]


def test_a_disk_that_takes_nothing_silences_nobody(tmp_path: Path) -> None:
    """The disk is full, and that is what is to be told: once, though the book cannot be kept."""
    (tmp_path / "monitor").write_text("a file where its folder belongs")
    with web_server() as (port, taken):
        monitor = Monitor([Says(FAILED)], monitor_settings(tmp_path), told(port))
        look_at(monitor, times=3)
    assert len(taken) == 1
    assert [one.kind for one in monitor.active] == ["AuditFailed"]


def test_ten_thousand_of_a_kind_are_one_message_of_twenty_lines(tmp_path: Path) -> None:
    many = [Finding("ThingQuarantined", f"file-{number}", "It is no Parquet.") for number in range(10_000)]
    with web_server() as (port, taken):
        monitor = Monitor([Says(*many)], monitor_settings(tmp_path), told(port))
        look_at(monitor, times=3)
    assert len(taken) == 1
    assert len(taken[0]["message"].splitlines()) == 21
    assert len(monitor.active) == MOST_OF_A_KIND + 1
    assert (tmp_path / "monitor" / "alerts.json").stat().st_size < 50_000


def test_outside_text_reaches_nobody_raw(tmp_path: Path) -> None:
    finding = Finding("LandingHeld", "a\x1b[2Jb", "forged\nFAKE LOG LINE\x07" + "x" * 10_000)
    with web_server() as (port, taken):
        look_at(Monitor([Says(finding)], monitor_settings(tmp_path), told(port)))
    said = taken[0]["title"] + taken[0]["message"]
    assert not any(ord(letter) < 32 for letter in said)
    assert len(said) < 1_000


def test_each_kind_is_in_the_page_for_prometheus_also_where_nothing_is_wrong(tmp_path: Path) -> None:
    monitor = Monitor([Says(FAILED)], monitor_settings(tmp_path), NOBODY)
    look_at(monitor)
    page = monitor.page.decode()
    for kind in KINDS:
        assert f'canopy_alerts{{kind="{kind}"}} {1.0 if kind == "AuditFailed" else 0.0}' in page
