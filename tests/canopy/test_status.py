"""`canopy status` on one screen: without a lake, and on one that was really collected and published."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from canopy.screens.status import Status, status_of
from contracts.prediction import ModelCard, Scores
from contracts.stack_settings import StackSettings
from deploy.monitor.check import Finding
from deploy.monitor.monitor import Monitor
from deploy.monitor.settings import MonitorSettings
from expectations.settings import AuditSettings
from lake.bronze.events import Event, record
from lake.bronze.held import hold, release
from lake.objects import open_objects
from lake.settings import LakeSettings
from pipeline.refine import refine
from tests.deploy.monitor.looking import NOBODY, Says
from tests.lake.landed import Row, land, sample, survey_rows

Canopy = Callable[..., subprocess.CompletedProcess[str]]

MODEL = ModelCard(
    name="canopy-covertype",
    version="3",
    alias="champion",
    snapshot_id="7",
    contract_version="1.0.0",
    scores=Scores(macro_f1=0.7, macro_f1_low=0.65, macro_f1_high=0.75, accuracy=0.8),
    features=[],
    classes=[],
)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeSettings:
    home = tmp_path / "home"
    for name, value in (
        ("CANOPY_HOME", home),
        ("LAKE_URI", home / "lake"),
        ("LAKE_CATALOG", f"sqlite:{home}/catalog.sqlite"),
        ("TRAINING_MLFLOW_URL", "http://127.0.0.1:1"),
        ("CANOPY_SERVING_PORT", 1),
    ):
        monkeypatch.setenv(name, str(value))
    return LakeSettings()


@pytest.fixture
def serving_port() -> Iterator[int]:
    """Something that answers as the prediction service does when it is asked for its model."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(MODEL.model_dump_json().encode())

        def log_message(self, format: str, *arguments: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_where_there_is_nothing_it_says_how_to_begin(canopy: Canopy) -> None:
    text = " ".join(canopy("status").stdout.split())
    assert "Nothing runs. landed 0 responses published nothing yet audit none yet champion none" in text
    assert "`canopy demo` walks the whole way" in text


@pytest.mark.long
def test_a_lake_is_shown_with_what_comes_next(lake: LakeSettings, survey: Path, tmp_path: Path) -> None:
    rows = survey_rows(survey, 900)
    first = _land(lake, sample(rows, 700, seed=1), minute=0)
    assert _status().next == "1 landing waits for `canopy refine`"
    refine(lake, AuditSettings(folder=tmp_path / "audits", has_docs=False), state=tmp_path / "dbt")
    _land(lake, sample(rows, 700, seed=2), minute=5)
    found = _status()
    assert (found.landings, found.held) == (2, 0)
    assert found.publication is not None
    assert found.publication.landings == 1
    assert found.audit is not None
    assert found.audit.is_passed
    assert found.next == "1 landing waits for `canopy refine`"
    hold(open_objects(lake), first, ["psi=1.5"])
    assert _status().next.startswith("a landing is held back")
    release(open_objects(lake), first)
    assert _status().held == 0


def test_a_source_that_has_ended_is_said_at_once(lake: LakeSettings, canopy: Canopy) -> None:
    event = Event("end_of_data", "covertype", 1, datetime.now(UTC), "http://x", "Ya se recolectó [red]todo")
    record(open_objects(lake), event)
    text = " ".join(canopy("status").stdout.split())
    assert re.search(r"at its end covertype, group 1, \d+ s ago: Ya se recolectó \[red\]todo", text)
    found = json.loads(canopy("status", "--json").stdout)
    assert [end["group"] for end in found["ended"]] == [1]


def test_the_champion_is_shown_with_its_interval(
    lake: LakeSettings, serving_port: int, canopy: Canopy, environment: dict[str, str]
) -> None:
    environment["CANOPY_SERVING_PORT"] = str(serving_port)
    text = " ".join(canopy("status").stdout.split())
    assert "champion version 3 from snapshot 7, macro-F1 0.700 [0.650, 0.750]" in text
    assert "live no labelled row has come" in text


def test_it_fits_on_one_screen_and_speaks_to_programs(canopy: Canopy) -> None:
    assert len(canopy("status").stdout.splitlines()) <= 24
    found = json.loads(canopy("status", "--json").stdout)
    assert set(found) >= {"parts", "landings", "publication", "audit", "champion", "live", "alerts", "next"}


def test_what_is_wrong_now_is_shown_to_a_person_and_to_a_program(
    canopy: Canopy, environment: dict[str, str]
) -> None:
    found = [
        Finding("LandingHeld", f"landing-{number}", f"[red]It is\x1b[2J number {number}.")
        for number in range(9)
    ]
    folder = Path(environment["CANOPY_HOME"]) / "monitor"
    settings = MonitorSettings(_env_file=None, folder=folder)
    Monitor([Says(*found)], settings, NOBODY).run_checks(datetime.now(UTC))
    text = " ".join(canopy("status").stdout.split())
    assert "wrong now LandingHeld [red]It is\\x1b[2J number 0." in text
    assert "and 3 more (the monitor looked" in text
    alerts = json.loads(canopy("status", "--json").stdout)["alerts"]
    assert [(one["kind"], one["subject"]) for one in alerts] == [
        ("LandingHeld", f"landing-{n}") for n in range(9)
    ]


def _land(lake: LakeSettings, rows: list[Row], minute: int) -> str:
    return land(lake, rows, minute=minute, batch=minute + 1).landing_id


def _status() -> Status:
    return status_of(StackSettings())
