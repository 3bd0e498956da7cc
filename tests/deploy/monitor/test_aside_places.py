"""Wherever a part puts away what it cannot read, one message tells of it, and none later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.private_file import write_private
from contracts.put_away import QUARANTINE
from contracts.stack_settings import StackSettings
from deploy.home import own_home
from deploy.local.environment import address_environment
from deploy.local.parts import MONITOR, SEES
from deploy.monitor.asides import AsidesCheck, quarantine_folders
from deploy.monitor.book import Book
from deploy.monitor.monitor import Monitor
from deploy.monitor.settings import MonitorSettings
from deploy.sees import seen
from expectations.settings import AuditSettings
from lake.catalog.connection import connect
from lake.catalog.keep import keep_catalog
from lake.objects import open_objects
from lake.settings import LakeSettings
from serving.log.spool import Spool
from serving.model.cache import ModelCache
from serving.settings import ServingSettings
from source.incoming import Incoming
from source.poll import finish
from source.settings import sources
from tests.deploy.monitor.looking import NOBODY, look_at
from tests.deploy.monitor.test_book import told
from tests.expectations.test_alerts import web_server
from training.judge.prequential import _kept
from training.settings import TrainingSettings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DAMAGED = b"\0 nobody can read this"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackSettings:
    """A local stack's settings, as its monitor sees them and no others."""
    settings = StackSettings(home=tmp_path / "home", _env_file=None)
    own_home(settings)
    monkeypatch.chdir(tmp_path)
    for name, value in seen(address_environment(settings), SEES[MONITOR]).items():
        monkeypatch.setenv(name, value)
    return settings


def damaged(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(DAMAGED)
    return path


def in_the_store(stack: StackSettings) -> None:
    damaged(stack.folder / "lake" / "bronze" / "events")
    open_objects(LakeSettings()).put("bronze/events/one.json", b"{}")


def among_incoming_responses(stack: StackSettings) -> None:
    damaged(stack.folder / "incoming" / "one.response")
    finish(open_objects(LakeSettings()), Incoming(sources()[0].incoming))


def among_models(stack: StackSettings) -> None:
    damaged(stack.folder / "models" / "canopy-covertype" / "champion.json")
    assert ModelCache(ServingSettings().cache, "canopy-covertype", "champion").last_good() is None


def in_the_place_of_the_keys(stack: StackSettings) -> None:
    (stack.folder / "keys.json").mkdir()
    write_private(ServingSettings().keys, "[]")


def among_copies_of_the_catalog(stack: StackSettings) -> None:
    with connect(LakeSettings(), write=True):
        pass
    damaged(stack.folder / "catalogs" / "catalog-20200101T000000Z.sqlite")
    keep_catalog(LakeSettings())


def among_audits(stack: StackSettings) -> None:
    from expectations.validation import RESULTS, _put_strays_away  # it takes seconds, and warns

    place = stack.folder / "audits" / RESULTS
    place.mkdir(parents=True)
    (place / "link.json").symlink_to("/dev/zero")
    _put_strays_away(AuditSettings().folder)


def among_what_training_keeps(stack: StackSettings) -> None:
    assert _kept(damaged(TrainingSettings().cache / "canopy-covertype-1.onnx"), "0" * 64) is None


def in_the_place_of_the_homes_marker(stack: StackSettings) -> None:
    (stack.folder / "secrets.json").write_text("{}")
    (stack.folder / "canopy-home.json").unlink()
    damaged(stack.folder / "canopy-home.json")
    own_home(stack)


def in_the_place_of_mlflows_accounts(stack: StackSettings) -> None:
    (stack.folder / "mlflow" / "accounts.ini").mkdir(parents=True)
    write_private(stack.folder / "mlflow" / "accounts.ini", "[mlflow]\n")


def in_the_monitors_own_book(stack: StackSettings) -> None:
    damaged(MonitorSettings().folder / "alerts.json")
    Book(MonitorSettings().folder)


PLACES = [
    in_the_store, among_incoming_responses, among_models, in_the_place_of_the_keys,
    among_copies_of_the_catalog, among_what_training_keeps, in_the_place_of_the_homes_marker,
    in_the_place_of_mlflows_accounts, in_the_monitors_own_book,
]  # fmt: skip


def looking(stack: StackSettings) -> AsidesCheck:
    lake = LakeSettings()
    return AsidesCheck(open_objects(lake), quarantine_folders(stack, lake))


@pytest.mark.parametrize(
    "put_away_in",
    [*PLACES, pytest.param(among_audits, marks=pytest.mark.long)],
    ids=lambda place: place.__name__,
)
def test_each_is_told_once(stack: StackSettings, put_away_in: Callable[[StackSettings], None]) -> None:
    with web_server() as (port, taken):
        later = look_at(Monitor([looking(stack)], MonitorSettings(), told(port)))
        assert taken == []
        put_away_in(stack)
        for _ in range(2):  # the second time it is started anew
            monitor = Monitor([looking(stack)], MonitorSettings(), told(port))
            later = look_at(monitor, times=3, began=later)
    assert [alert["title"].partition(" (ThingQuarantined, ")[0] for alert in taken] == [
        "Canopy: Something could not be read and was put aside"
    ]
    assert " was put aside: " in taken[0]["message"]


def test_all_of_them_are_alerts_of_their_own(stack: StackSettings) -> None:
    for put_away_in in PLACES:
        put_away_in(stack)
    monitor = Monitor([looking(stack)], MonitorSettings(), NOBODY)
    look_at(monitor, times=2)
    assert [one.kind for one in monitor.active] == ["ThingQuarantined"] * len(PLACES)


def test_a_thing_whose_reason_could_not_be_written_is_told_too(stack: StackSettings) -> None:
    damaged(stack.folder / "models" / QUARANTINE / "champion.json")
    monitor = Monitor([looking(stack)], MonitorSettings(), NOBODY)
    look_at(monitor)
    (one,) = monitor.active
    assert "cannot be read either" in one.text


def test_of_a_segment_of_predictions_the_service_tells_and_nobody_else(stack: StackSettings) -> None:
    spool = Spool(ServingSettings().spool, 2**20)
    spool.quarantine(damaged(spool.folder / "one.arrows"), "it is none")
    monitor = Monitor([looking(stack)], MonitorSettings(), NOBODY)
    look_at(monitor)
    assert (spool.quarantined(), monitor.active) == (1, [])
