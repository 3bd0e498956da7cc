"""The line of the pipeline page that says what is wrong now."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from deploy.monitor.check import Finding
from deploy.monitor.monitor import Monitor
from deploy.monitor.page import make_server
from tests.attacks.hosts import running
from tests.deploy.monitor.looking import NOBODY, Says, monitor_settings

PAGE = """
from ui.language import texts_of
from ui.settings import UiSettings
from ui.views.pipeline import show_wrong
show_wrong(texts_of("LANGUAGE"), UiSettings())
"""


@pytest.mark.parametrize(("language", "begin"), [("en", "Wrong now"), ("es", "Ahora va mal")])
def test_each_kind_is_named_once_in_the_reader_s_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, begin: str
) -> None:
    found = [Finding("LandingHeld", str(number), "held") for number in range(3)]
    monitor = Monitor(
        [Says(*found, Finding("AuditFailed", "newest", "failed"))], monitor_settings(tmp_path), NOBODY
    )
    monitor.run_checks(datetime.now(UTC))
    with running(make_server(monitor, "127.0.0.1", 0)) as port:
        monkeypatch.setenv("CANOPY_MONITOR_URL", f"http://127.0.0.1:{port}")
        page = AppTest.from_string(PAGE.replace("LANGUAGE", language)).run()
    assert [warning.value.partition(":")[0] for warning in page.warning] == [begin]
    assert "`LandingHeld`, `AuditFailed`" in page.warning[0].value


def test_a_monitor_that_is_away_is_said_and_none_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANOPY_MONITOR_URL", "http://127.0.0.1:9")
    page = AppTest.from_string(PAGE.replace("LANGUAGE", "en")).run()
    assert "nobody looks" in page.warning[0].value
    monkeypatch.delenv("CANOPY_MONITOR_URL")
    assert not AppTest.from_string(PAGE.replace("LANGUAGE", "en")).run().warning
