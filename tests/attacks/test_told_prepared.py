"""Each alert that a stack does not come to within minutes, tripped on a monitor's own process.

Its home is prepared: a real lake, pages of a service and of a store, backups, addresses of which one refuses.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.bronze.held import hold, release
from lake.objects import open_objects
from tests.attacks.told import Receiver, Watched, kinds_of, receiver, until, was_told
from tests.deploy.monitor.looking import Pages, pages
from tests.deploy.monitor.test_bronze import land
from tests.deploy.monitor.test_process import monitor
from tests.deploy.monitor.test_tables import audited
from tests.lake.landed import lake_in
from tests.lake.published import make_countable

__all__ = ["was_told"]

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]


@dataclass
class Prepared:
    """A home in which everything can be made wrong, and a monitor that looks at it."""

    watched: Watched
    found: Pages
    second: Receiver
    folder: Path

    @property
    def backups(self) -> Path:
        """Where its backups are written."""
        return self.folder / "backups"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("prepared")
    make_countable(lake_in(folder))
    found: Pages = {"/ready": (200, b"{}"), "/metrics": _counted(0), "/store": _room(0.5)}
    with pages(found) as url, receiver() as taker, receiver() as second:
        made = Prepared(Watched("", taker), found, second, folder)
        _back_up(made)
        settings = {
            "ALERT_URLS": f"{taker.url} {second.url}",
            "LAKE_URI": lake_in(folder).uri,
            "LAKE_CATALOG": lake_in(folder).catalog,
            "MONITOR_BACKUPS": str(made.backups),
            "MONITOR_CLOCK_SKEW_S": "1",
            "MONITOR_EVERY_S": "1",
            "MONITOR_LAKE_EVERY_S": "2",
            "MONITOR_MESSAGES_PER_HOUR": "10000",
            "MONITOR_REMEMBER_S": "10",
            "UI_SERVING_URL": url,
            "MONITOR_STORE_METRICS_URL": f"{url}/store",
            # Landings of a source that no setting names are looked for every ten minutes only.
            "SOURCE_GROUPS": "1",
            "SOURCE_NAME": "survey",
        }
        (folder / "clock").write_text("0")
        with monitor(folder, shift=folder / "clock", **settings) as (page, _):
            made.watched = Watched(page, taker)
            yield made


@pytest.mark.tells("LandingFromFuture")
def test_a_landing_from_the_future_is_told_until_its_time_has_come(prepared: Prepared) -> None:
    at = datetime.now(UTC) + timedelta(seconds=20)

    landing = land(lake_in(prepared.folder), at)
    key = "LandingFromFuture", landing
    until("it to be told", lambda: prepared.watched.receiver.told(key)[0])
    assert "LandingFromFuture" in kinds_of(prepared.watched.page)
    until("its end", lambda: prepared.watched.receiver.told(key)[1])
    prepared.watched.wait_for_looks(3)
    assert prepared.watched.receiver.told(key) == (1, 1)


@pytest.mark.tells("LandingHeld")
def test_a_landing_that_is_held_back_is_told_until_a_person_lets_it_in(prepared: Prepared) -> None:
    objects = open_objects(lake_in(prepared.folder))
    landing = land(lake_in(prepared.folder), datetime.now(UTC) - timedelta(minutes=1))

    @contextmanager
    def held() -> Iterator[None]:
        hold(objects, landing, ["rows=3"])
        yield
        release(objects, landing)

    prepared.watched.tells(held(), ("LandingHeld", landing), numbers={"canopy_landings_held": 1.0})


@pytest.mark.tells("AuditFailed")
def test_an_audit_that_fails_is_told_until_one_passes(prepared: Prepared) -> None:
    @contextmanager
    def failed() -> Iterator[None]:
        audited(lake_in(prepared.folder), is_passed=False)
        yield
        audited(lake_in(prepared.folder), is_passed=True)

    prepared.watched.tells(failed(), ("AuditFailed", "newest"))


@pytest.mark.tells("StoreFilling")
def test_a_store_that_fills_is_told(prepared: Prepared) -> None:
    @contextmanager
    def full() -> Iterator[None]:
        prepared.found["/store"] = _room(0.1)
        yield
        prepared.found["/store"] = _room(0.5)

    prepared.watched.tells(full(), ("StoreFilling", "store"))


@pytest.mark.tells("PredictionsFail")
def test_errors_of_the_service_are_told_for_a_while(prepared: Prepared) -> None:
    @contextmanager
    def erring() -> Iterator[None]:
        prepared.found["/metrics"] = _counted(50)
        yield

    prepared.watched.tells(erring(), ("PredictionsFail", "serving"))


@pytest.mark.tells("BackupOld")
def test_a_backup_that_is_too_old_is_told_until_there_is_another(prepared: Prepared) -> None:
    @contextmanager
    def old() -> Iterator[None]:
        os.utime(prepared.backups / "newest" / "backup.json", (0, 0))
        yield
        _back_up(prepared)

    numbers = {"canopy_newest_backup_timestamp_seconds": 0.0}
    prepared.watched.tells(old(), ("BackupOld", "backup"), numbers=numbers)


@pytest.mark.tells("LookFailed")
def test_a_folder_that_cannot_be_looked_into_is_told(prepared: Prepared) -> None:
    @contextmanager
    def gone() -> Iterator[None]:
        prepared.backups.rename(prepared.folder / "moved")
        yield
        (prepared.folder / "moved").rename(prepared.backups)

    prepared.watched.tells(gone(), ("LookFailed", "backups"))


@pytest.mark.tells("ClockJumped")
def test_a_clock_that_jumps_is_told_for_a_while(prepared: Prepared) -> None:
    """The machine's is left alone, which others use: the monitor's steady clock goes back by an hour."""

    @contextmanager
    def jumped() -> Iterator[None]:
        (prepared.folder / "clock").write_text("3600")
        yield

    prepared.watched.wait_for_looks(2)  # a jump lies between two of them
    prepared.watched.tells(jumped(), ("ClockJumped", "clock"))


@pytest.mark.tells("MessageFailed")
def test_an_address_that_takes_no_message_is_told_to_the_other(prepared: Prepared) -> None:
    @contextmanager
    def refusing() -> Iterator[None]:
        prepared.second.status = 500
        prepared.found["/store"] = _room(0.1)
        yield
        prepared.second.status = 200
        prepared.found["/store"] = _room(0.5)

    prepared.watched.tells(refusing(), ("MessageFailed", "address 2"))


def _counted(errors: int) -> tuple[int, bytes]:
    """A service's page after so many errors."""
    counted = {"200": 100, "500": errors}
    lines = [f'canopy_requests_total{{status="{status}"}} {count}' for status, count in counted.items()]
    return 200, "\n".join(["# TYPE canopy_requests counter", *lines, ""]).encode()


def _room(share: float) -> tuple[int, bytes]:
    """A store's page with this share of its room left."""
    lines = [
        f"minio_cluster_capacity_usable_free_bytes {share * 1e9}",
        f"minio_cluster_capacity_usable_total_bytes {1e9}",
    ]
    return 200, "\n".join([*lines, ""]).encode()


def _back_up(prepared: Prepared) -> None:
    file = prepared.backups / "newest" / "backup.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({}))
