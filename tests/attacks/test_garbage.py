"""Garbage of each kind in each place that a part reads at its start or turn: it costs itself alone.

A part's turn proves that its next good thing happens: a batch lands, a publication is read, a model
answers. It is taken twice: the garbage may be told in the first, and is not told again in the second.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import duckdb
import httpx
import pytest

from clients.airflow import password_in
from clients.mlflow import Version as TrainedVersion
from contracts.errors import BackupIncomplete, CanopyError
from contracts.model_artefact import MODEL_FILE
from contracts.stack_settings import StackSettings
from deploy.access.server import bounded_server
from deploy.backup.files import Backup
from deploy.backup.local import back_up_home
from deploy.containers.secrets import make_secrets
from deploy.home import is_marked, own_home
from deploy.local.environment import stack_environment
from deploy.local.parts import Service
from deploy.local.supervisor import Supervisor
from deploy.monitor.asides import AsidesCheck
from deploy.monitor.book import read_alerts
from deploy.monitor.check import Finding
from deploy.monitor.machine import BackupsCheck
from deploy.monitor.monitor import Monitor
from deploy.secrets import load_secrets, part_secrets
from deploy.servers import mlflow_accounts
from deploy.site.serve import create_app
from lake.bronze.events import Event, newest_event, record
from lake.bronze.held import held, hold
from lake.catalog.keep import keep_catalog
from lake.objects import open_objects
from lake.publish.analysts_file import KEY
from lake.settings import LakeSettings
from pipeline.role import secrets_of
from pipeline.sweep import sweep
from serving.auth.keys import KeyFile, KeyRing, make_first_keys
from serving.http.metrics import Metrics
from serving.http.outside import Outside
from serving.log.prediction_log import PredictionLog
from serving.model.cache import ModelCache
from serving.model.version import Version
from source.collect import collect
from source.outcomes import Landed
from source.simulator.server import serving
from source.simulator.settings import SimulatorSettings
from source.simulator.synthetic import generate
from tests.attacks.hosts import running
from tests.attacks.spoiling import KINDS, SPARSE_BYTES, as_anybody, census, no_hang, put, traces
from tests.attacks.test_poison import GROUP, ROWS, landed
from tests.attacks.test_spool import CONTRACT, in_lake, rows, whole
from tests.deploy.monitor.looking import NOBODY, NOW, Says, look_at, monitor_settings
from tests.lake.asides import aside
from tests.lake.published import connect_published, fill_with_numbers, publish_after
from tests.serving.onnx_models import build_model
from tests.serving.services import settings_in
from tests.source.conftest import BrokenService, Reply, broken_service, impatient
from tests.source.test_response import body
from training.fit.artefact import Artefact
from training.judge import prequential as live
from training.settings import TrainingSettings
from ui.reading.prediction import _key as ui_key
from ui.settings import UiSettings

__all__ = ["broken_service"]

STEM = "20260101T120000000000Z-" + "a" * 64
SEGMENT = "20260101T000000000000Z-abcd"
MODEL = Version(name="m", number="1", alias="champion", source="test", created_at_ms=1, tags={})
ONNX = b"an artefact" * 99
RESULT = "numbers/snapshot-000001/20260101T000000.000000Z/lake-numbers"
FAILED = Finding("AuditFailed", "newest", "The audit of snapshot 7 failed.")


@dataclass
class Home:
    """A home folder that everything has been in, and what its parts need beside it."""

    folder: Path
    source: BrokenService
    outside: Outside

    @property
    def lake(self) -> LakeSettings:
        """Its lake."""
        return LakeSettings(uri=str(self.folder / "lake"), catalog=f"sqlite:{self.folder / 'catalog.sqlite'}")

    @cached_property
    def log(self) -> PredictionLog:
        """Its log of predictions, while its service runs."""
        return PredictionLog(settings_in(self.folder), self.lake, Metrics(), None, self.outside)


def landing(home: Home) -> None:
    """The next good batch lands."""
    source = impatient(home.source.url, incoming=home.folder / "incoming")
    collected = collect([source], home.lake)
    (new,) = [outcome for outcome in collected.outcomes if isinstance(outcome, Landed)]
    assert open_objects(home.lake).read(new.landing.key)


def collecting(home: Home) -> None:
    """The next good batch lands, and what the next build reads can be read."""
    landing(home)
    sweep(home.lake)
    for pattern, named in READ_BY_BUILDS.items():
        with duckdb.connect() as connection:
            found = connection.execute(f"select file from glob('{home.folder}/lake/bronze/{pattern}')")
            files = [file for (file,) in found.fetchall() if all(word in file for word in named)]
            assert not files or connection.read_parquet(files, union_by_name=True).fetchall()
    # A hold counts by its name, and a folder is none.
    record_of_hold = home.folder / "lake" / "bronze" / "held" / f"{STEM}.json"
    assert STEM in held(open_objects(home.lake)) or record_of_hold.is_dir()
    assert newest_event(open_objects(home.lake), "covertype", 1) is not None
    aside(open_objects(home.lake))


# What dbt reads of bronze, and what of it the models leave out by its name.
READ_BY_BUILDS = {
    "rows/**/*.parquet": ("Z-", "/group=01/"),
    "predictions/**/*.parquet": ("Z-",),
    "answered/*.parquet": ("Z-",),
}


def publishing(home: Home) -> None:
    """A publication is made, read at the pointer, and in the analysts' file."""
    publish_after(home.lake, "insert into gold.numbers values (5)")
    _, reader = connect_published(home.lake)
    with reader, duckdb.connect(str(home.folder / "lake" / KEY), read_only=True) as analysts:
        counts = [one.execute("select count(*) from gold.numbers").fetchone() for one in (reader, analysts)]
    assert counts[0] == counts[1]
    assert counts[0] is not None
    assert counts[0][0] > 5


def keeping_catalogs(home: Home) -> None:
    """A copy of the catalog is made, and the good ones before it are not let go of for garbage."""
    days = range(3)
    kept = [keep_catalog(home.lake, NOW + timedelta(days=day)) for day in days]
    for copy in kept:
        assert copy is not None
        with closing(sqlite3.connect(copy)) as catalog:
            assert catalog.execute("pragma integrity_check").fetchone() == ("ok",)
    publishing(home)


def shipping(home: Home) -> None:
    """What was predicted comes to the lake."""
    log, before = home.log, in_lake(home.folder)
    log.spool.append(rows(7))
    log.ship()
    log._count()
    assert in_lake(home.folder) >= before + 7


def answering(home: Home) -> None:
    """The good model is in the cache, and is what a start without a registry begins with."""

    def download(_: Version, partial: Path) -> Path:
        (partial / MODEL_FILE).write_bytes(ONNX)
        return partial

    cached = ModelCache(home.folder / "models", MODEL.name, "champion")
    cached.last_good()
    folder = cached.fetch(MODEL, download)
    cached.remember(MODEL)
    assert (folder / MODEL_FILE).read_bytes() == ONNX
    assert ModelCache(home.folder / "models", MODEL.name, "champion").last_good() == (MODEL, folder)


def letting_in(home: Home) -> None:
    """The service's own keys are let in."""
    settings = settings_in(home.folder)
    make_first_keys(settings)
    secret = settings.admin_key_file.read_bytes().strip()
    found = KeyRing(KeyFile(settings.keys)).find(secret)
    assert found is not None
    assert found.revoked_at is None


def asking_as_a_page(home: Home) -> None:
    """The page has the key, or goes without one as the service then says."""
    key = ui_key(UiSettings(serving_key_file=home.folder / "predict.key"))
    assert key == "" or key.isprintable()


def reading_a_password(home: Home) -> None:
    """The password of a page's account is read."""
    file = home.folder / "airflow" / "passwords.json"
    assert password_in(file, "viewer", "UI_AIRFLOW_PASSWORD_FILE") == "a secret"


def simulating(home: Home) -> None:
    """The source answers with a batch."""
    state, journal = home.folder / "source.json", home.folder / "journal.jsonl"
    settings = SimulatorSettings(window_s=0, seed=1, state=state, journal=journal)
    with serving(settings, simulated_rows()) as url:
        assert httpx.get(f"{url}/data?group_number=1").status_code == 200
    assert not journal.is_file() or b'"group": 1' in _end_of(journal)


def _end_of(file: Path) -> bytes:
    """The last of a file, which may be longer than memory."""
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 4096))
        return opened.read()


def watching(home: Home) -> None:
    """The monitor finds what is wrong, keeps it, and `canopy status` reads it."""
    settings = monitor_settings(home.folder, backups=home.folder.with_name("backups"), backup_age_s=10**9)
    looks = [Says(FAILED), AsidesCheck(open_objects(home.lake)), BackupsCheck(settings)]
    monitor = Monitor(looks, settings, NOBODY)
    look_at(monitor)
    assert ("AuditFailed", "newest") in [one.key for one in monitor.active]
    assert not [one for one in monitor.active if one.kind == "BackupOld"]
    looked_at, active = read_alerts(settings.folder)
    assert looked_at == NOW
    assert FAILED.text in [one.text for one in active]


def starting(home: Home) -> None:
    """A start finds the home's secrets, makes the home its owner's, and marks it."""
    known = load_secrets(home.folder)
    assert load_secrets(home.folder) == known
    make_secrets(home.folder / "secrets")
    own_home(StackSettings(home=home.folder, _env_file=None))
    assert is_marked(home.folder)


def setting_up(home: Home) -> None:
    """A start writes each part's own secrets and accounts anew, and they are read."""
    settings = StackSettings(home=home.folder, _env_file=None)
    stack_environment(settings)
    known = load_secrets(home.folder)
    viewer = password_in(home.folder / "airflow" / "viewer.json", "viewer", "UI_AIRFLOW_PASSWORD_FILE")
    assert viewer == known.airflow_viewer_password
    account = secrets_of(str(part_secrets(home.folder, "serving")))
    assert account["MLFLOW_TRACKING_PASSWORD"] == known.mlflow_serving_password
    mlflow_accounts.main()
    assert "accounts.sqlite" in (home.folder / "mlflow" / "accounts.ini").read_text()


def making_containers_secrets(home: Home) -> None:
    """Each container's secrets are there, as the list of passwords has them."""
    make_secrets(home.folder / "secrets")
    passwords = json.loads((home.folder / "secrets" / "passwords.json").read_text())
    account = secrets_of(str(home.folder / "secrets" / "reader.env"))
    assert account["LAKE_S3_SECRET_ACCESS_KEY"] == passwords["s3"]["reader"]


def supervising(home: Home) -> None:
    """supervisord comes up, and tells of its parts."""
    supervisor = Supervisor(home.folder)
    idle = Service(
        "idle", "Idle", (sys.executable, "-c", "import time; time.sleep(99)"), "http://127.0.0.1:9/"
    )
    try:
        supervisor.start([idle], os.environ)
        assert [state.part for state in supervisor.states()] == ["idle"]
        assert int((home.folder / "run" / "supervisord.pid").read_text()) > 0
    finally:
        supervisor.stop()


def auditing(home: Home) -> None:
    """An audit keeps its results, and writes its page."""
    import great_expectations as gx  # three seconds, which only this turn pays
    import pandas as pd

    from expectations.validation import Validation

    validation = Validation(home.folder / "audits", "snapshot-000007")
    suite = gx.ExpectationSuite("numbers", [gx.expectations.ExpectColumnValuesToNotBeNull(column="x")])
    assert validation.run(suite, pd.DataFrame({"x": [1, 2]}), ["x"]) == []
    assert "snapshot-000007" in validation.write_docs(5).read_text()


def training_live(home: Home) -> None:
    """The champion's artefact is there to ask."""
    settings = TrainingSettings(cache=home.folder / "training", _env_file=None)
    model = onnx_model()
    version = TrainedVersion(1, "run", {"artefact_sha256": model.sha256})
    for _ in range(2):
        assert live._artefact(settings, version).serialized == model.serialized


def showing(home: Home) -> None:
    """The page of the tables is shown, or the reader is told what makes it."""
    site = home.folder / "site"
    app = create_app(site / "pages", site / "dbt", home.folder / "audits" / "docs")
    with running(bounded_server(app, "127.0.0.1", 0)) as port:
        for name in ("dbt", "audits"):
            url = f"http://127.0.0.1:{port}/{name}/"
            with httpx.stream("GET", url, timeout=5) as answer:  # a page may have no end
                assert answer.status_code in (200, 404)
        assert httpx.get(f"http://127.0.0.1:{port}/live", timeout=5).status_code == 200


@cache
def onnx_model() -> Artefact:
    with TemporaryDirectory() as folder:
        return Artefact(build_model(Path(folder) / "model.onnx").read_bytes())


@cache
def simulated_rows() -> object:
    return generate(300, seed=1)


@dataclass(frozen=True)
class Place:
    """Where garbage is put.

    Attributes:
        path: Below the home; `…` is some name.
        turn: The part that reads there.
        good: A good file of this kind, where none is at the path itself.
        may_refuse: Whether the part may say in one sentence that it cannot go on: a person's secrets are
            not made anew behind their back.
        is_made_anew: Whether what lies there is made of other things, so that nothing is lost with it.
        is_old: Whether it lies there since yesterday.
    """

    path: str
    turn: Callable[[Home], None]
    good: str = ""
    may_refuse: bool = False
    is_made_anew: bool = False
    is_old: bool = False


COLLECTOR = {
    "incoming": Place("incoming/….response", collecting),
    "incoming, begun": Place("incoming/….opening", collecting, is_old=True),
    "raw": Place(f"lake/bronze/raw/{GROUP}/….json.zst", collecting, "raw"),
    "raw of a landing": Place(f"lake/bronze/raw/{GROUP}/{STEM}.json.zst", collecting, "raw"),
    "rows": Place(f"lake/bronze/rows/{GROUP}/….parquet", collecting, "rows"),
    "rows of a landing": Place("rows", collecting),
    "rows without a response": Place(f"lake/bronze/rows/{GROUP}/{STEM}.parquet", collecting, "rows"),
    "refused": Place(f"lake/bronze/refused/{GROUP}/….json", collecting),
    "refused of a landing": Place(f"lake/bronze/refused/{GROUP}/{STEM}.json", collecting),
    "events": Place("lake/bronze/events/covertype/group=01/….json", collecting, "event"),
    "newest event": Place("event", collecting),
    "held": Place("lake/bronze/held/….json", collecting, f"lake/bronze/held/{STEM}.json"),
    "reason of a hold": Place(f"lake/bronze/held/{STEM}.json", collecting),
    "predictions": Place("lake/bronze/predictions/date=2026-01-01/….parquet", collecting, "rows"),
    "segment": Place(f"lake/bronze/predictions/date=2026-01-01/{SEGMENT}.parquet", collecting, "rows"),
    "answered": Place(f"lake/bronze/answered/{STEM}.parquet", collecting, "rows"),
    "folder of raw": Place("lake/bronze/raw/covertype/group=02", collecting),
    "folder of events": Place("lake/bronze/events/days", collecting),
    "quarantine": Place("lake/quarantine", collecting),
    "reason in quarantine": Place("lake/quarantine/x~0123456789ab.reason.json", collecting),
    "probe": Place("lake/.writable", collecting, is_made_anew=True),
    "catalog of a collector": Place("catalog.sqlite", landing),
}
PUBLISHER = {
    "catalog": Place("catalog.sqlite", publishing, may_refuse=True),
    "catalog's log": Place("catalog.sqlite-wal", publishing, may_refuse=True, is_made_anew=True),
    "catalog's journal": Place("catalog.sqlite-journal", publishing, may_refuse=True, is_made_anew=True),
    "catalog's index of its log": Place("catalog.sqlite-shm", publishing, may_refuse=True, is_made_anew=True),
    "catalog's lock": Place("catalog.sqlite.lock", publishing, may_refuse=True, is_made_anew=True),
    "analysts' file": Place(f"lake/{KEY}", publishing, is_made_anew=True),
    "reader's copy": Place("catalog-copies/9999999-x.sqlite", publishing),
    "working folder": Place(".analysts-x", publishing),
    "kept catalogs": Place("catalogs/catalog-….sqlite", keeping_catalogs, "catalog.sqlite"),
    "kept catalog": Place("catalogs/catalog-20200101T000000Z.sqlite", keeping_catalogs, "catalog.sqlite"),
    "unproven catalog": Place("catalogs/catalog-x.unproven", keeping_catalogs, "catalog.sqlite"),
}
SERVICE = {
    "spool": Place("spool/….arrows", shipping, "segment"),
    "segment in spool": Place(f"spool/{SEGMENT}.arrows", shipping, "segment"),
    "segment begun": Place(f"spool/{SEGMENT}.opening", shipping, "segment"),
    "spool's quarantine": Place("spool/quarantine", shipping),
    "cached note": Place("models/m/champion.json", answering),
    "cached notes": Place("models/m/….json", answering, "models/m/champion.json"),
    "cached model": Place(f"models/m/{MODEL.folder_name}/{MODEL_FILE}", answering),
    "cached seal": Place(f"models/m/{MODEL.folder_name}/files.json", answering),
    "cached version": Place(f"models/m/{MODEL.folder_name}", answering),
    "cache": Place("models/m", answering),
    "cache's quarantine": Place("models/quarantine", answering),
    "keys": Place("keys.json", letting_in, may_refuse=True),
    "a key": Place("admin.key", letting_in, may_refuse=True),
    "lock of keys": Place("keys.lock", letting_in, may_refuse=True, is_made_anew=True),
    "page's password": Place("airflow/passwords.json", reading_a_password, may_refuse=True),
    "page's key": Place("predict.key", asking_as_a_page),
}
OTHERS = {
    "simulator's state": Place("source.json", simulating, may_refuse=True),
    "simulator's journal": Place("journal.jsonl", simulating, may_refuse=True),
    "alerts": Place("monitor/alerts.json", watching),
    "backups": Place("../backups/…", watching, "monitor/alerts.json"),
    "reason that is watched": Place("lake/quarantine/x~0123456789ab.reason.json", watching),
    "secrets": Place("secrets.json", starting, may_refuse=True),
    "containers' secrets": Place("secrets/passwords.json", starting, may_refuse=True),
    "marker": Place("canopy-home.json", starting),
    "champion's artefact": Place("training/canopy-covertype-1.onnx", training_live),
    "older artefact": Place("training/canopy-covertype-0.onnx", training_live, is_made_anew=True),
    "artefact on its way": Place("training/canopy-covertype-1.partial", training_live),
    "page of the tables": Place("site/dbt/index.html", showing),
    "page of the audits": Place("audits/docs/index.html", showing),
    "results of the audits": Place("audits/results/….json", auditing),
    "result of an audit": Place(f"audits/results/{RESULT}.json", auditing),
    "folder of results": Place("audits/results", auditing),
    "page of an audit": Place(f"audits/docs/validations/{RESULT}.html", auditing, is_made_anew=True),
    "index of the audits": Place("audits/docs/index.html", auditing, is_made_anew=True),
    "viewer's password": Place("airflow/viewer.json", setting_up, is_made_anew=True),
    "a part's secrets": Place("run/secrets/serving.env", setting_up, is_made_anew=True),
    "where MLflow's accounts are": Place("mlflow/accounts.ini", setting_up, is_made_anew=True),
    "a container's secrets": Place("secrets/reader.env", making_containers_secrets, is_made_anew=True),
    "supervisord's number": Place("run/supervisord.pid", supervising, is_made_anew=True),
    "supervisord's settings": Place("run/supervisord.conf", supervising, is_made_anew=True),
}
PLACES = COLLECTOR | PUBLISHER | SERVICE | OTHERS
# A link says where a person's catalog is: where nothing is there, it is yet to be made.
NO_GARBAGE = {
    *(("catalog", "link to nowhere"), ("catalog of a collector", "link to nowhere")),
    ("catalog of a collector", "loop of links"),
}
MATRIX = [
    pytest.param(place, kind, id=f"{name}: {kind}")
    for name, place in PLACES.items()
    for kind in KINDS
    if ("…" in place.path or not KINDS[kind].name) and (name, kind) not in NO_GARBAGE
]
DRAWN = random.Random(17).sample(MATRIX, 50)
SAMPLE, LONG_SAMPLE = DRAWN[:14], DRAWN[14:]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which everything is good, with the paths of those of its files that have odd names."""
    folder = tmp_path_factory.mktemp("template") / "home"
    lake = LakeSettings(uri=str(folder / "lake"), catalog=f"sqlite:{folder / 'catalog.sqlite'}")
    objects = open_objects(lake)
    one = landed(objects)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record(objects, Event("failure", "covertype", 1, at, "http://x", "down"))
    event = record(objects, Event("restart", "covertype", 1, at + timedelta(hours=1), "http://x", "up"))
    hold(objects, STEM, ["too few rows"])
    fill_with_numbers(lake)
    keep_catalog(lake, NOW - timedelta(days=1))
    here = Home(folder, BrokenService("", []), Outside(CONTRACT, 1, 1))
    for turn in (letting_in, starting, answering, watching_alone):
        turn(here)
    folder.with_name("good.arrows").write_bytes(whole())
    whole_backup = folder.with_name("backups") / "good"
    whole_backup.mkdir(parents=True)
    (whole_backup / "backup.json").write_bytes(b"{}")
    (folder / "training").mkdir()
    (folder / "mlflow").mkdir()
    (folder / "mlflow" / "accounts.sqlite").write_bytes(b"")
    (folder / "mlflow" / "prepared").write_text(mlflow_accounts._state(load_secrets(folder)))
    (folder / "airflow").mkdir()
    (folder / "airflow" / "passwords.json").write_text('{"viewer": "a secret"}')
    for name in ("site/dbt", "audits/docs"):
        (folder / name).mkdir(parents=True)
        (folder / name / "index.html").write_text("<!doctype html>")
    names = {"raw": one.raw_key, "rows": one.key, "event": event}
    paths = {name: f"lake/{key}" for name, key in names.items()} | {"segment": "../good.arrows"}
    (folder.parent / "paths.json").write_text(json.dumps(paths))
    return folder


def watching_alone(home: Home) -> None:
    look_at(Monitor([Says(FAILED)], monitor_settings(home.folder), NOBODY))


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    found = Outside(CONTRACT, 1_000, 2**20)
    yield found
    found.stop()


@pytest.fixture
def home(
    template: Path,
    tmp_path: Path,
    broken_service: Callable[..., BrokenService],
    outside: Outside,
    monkeypatch: pytest.MonkeyPatch,
) -> Home:
    """A copy of the template; DuckLake knows its folder by name, so the catalog learns the new one."""
    shutil.copytree(template.parent, tmp_path, dirs_exist_ok=True, symlinks=True)
    folder = tmp_path / "home"
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as catalog, catalog:
        catalog.execute(
            "update ducklake_metadata set value = ? where key = 'data_path'", [f"{folder}/lake/ducklake/"]
        )
    monkeypatch.setattr(sys, "argv", ["mlflow_accounts", str(folder)])
    monkeypatch.setattr("serving.engine.make_tables", lambda _: None)  # there is no forest in it
    monkeypatch.setattr(
        live, "Registry", lambda _: SimpleNamespace(download=lambda _: onnx_model().serialized)
    )
    return Home(folder, broken_service(Reply(body=body(ROWS))), outside)


def resolved(place: Place, folder: Path) -> tuple[Path, bytes]:
    """Where garbage goes in a home, and what a good file there holds."""
    paths = json.loads(folder.with_name("paths.json").read_text())
    good = folder / paths.get(place.good or place.path, place.good or place.path)
    path = folder / paths.get(place.path, place.path).replace("…", "found")
    return path, good.read_bytes() if good.is_file() else b"what is good here" * 9


def costs_itself_alone(place: Place, kind: str, home: Home, caplog: pytest.LogCaptureFixture) -> None:
    path, good = resolved(place, home.folder)
    before = read_some(path)
    garbage = put(kind, path, good)
    if place.is_old:
        os.utime(garbage, (1, 1), follow_symlinks=False)
    there, spoilt = traces(garbage), read_some(garbage)
    said: list[set[str]] = []
    refusal: CanopyError | None = None
    with no_hang(home.folder), as_anybody():
        for _ in range(2):
            caplog.clear()
            try:
                place.turn(home)
            except CanopyError as error:
                refusal = error
                break
            said.append({one.getMessage() for one in caplog.records if one.levelname in ("WARNING", "ERROR")})
        else:
            assert not said[0] & said[1], "it is told at each turn"
    if refusal is not None:  # a person puts it right
        assert place.may_refuse, f"it must go on: {refusal!r}"
        assert "\n" not in str(refusal)
        assert traces(garbage) == there, "it refused, and touched it"
        if garbage.is_dir() and not garbage.is_symlink():
            shutil.rmtree(garbage)
        else:
            garbage.unlink()
        if before is not None:
            garbage.write_bytes(before)
        place.turn(home)
        return
    grown = spoilt is not None and (read_some(path) or b"").startswith(spoilt)
    grown |= kind == "sparse" and path.is_file() and path.stat().st_size > SPARSE_BYTES
    assert place.is_made_anew or grown or not there - census(home.folder.parent), "it was deleted"
    if kind in ("link out", "hard link"):
        assert home.folder.with_name("outside.txt").read_bytes() == b"precious\n"


def read_some(path: Path) -> bytes | None:
    """What a file holds, or the file that a link leads to."""
    return path.read_bytes() if path.is_file() and path.stat().st_size < SPARSE_BYTES else None


@pytest.mark.parametrize(("place", "kind"), SAMPLE)
def test_garbage_costs_itself_alone(
    place: Place, kind: str, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    costs_itself_alone(place, kind, home, caplog)


@pytest.mark.long
@pytest.mark.parametrize(("place", "kind"), LONG_SAMPLE)
def test_more_garbage_costs_itself_alone(
    place: Place, kind: str, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    costs_itself_alone(place, kind, home, caplog)


@pytest.mark.longest
@pytest.mark.parametrize(("place", "kind"), [one for one in MATRIX if one not in DRAWN])
def test_garbage_of_each_kind_in_each_place_costs_itself_alone(
    place: Place, kind: str, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    costs_itself_alone(place, kind, home, caplog)


def backed_up(home: Home) -> Backup:
    settings = StackSettings(home=home.folder, _env_file=None)
    return back_up_home(settings, home.folder.with_name("kept"), lambda _: None)


@pytest.mark.parametrize("kind", ["pipe", "line end", "no UTF-8"])
def test_what_garbage_is_in_bronze_keeps_no_backup_out_after_a_collect(kind: str, home: Home) -> None:
    for pattern in ("raw/{}/x.json.zst", "rows/{}/x.parquet", "refused/{}/x.json", "held/x.json"):
        put(kind, home.folder / "lake" / "bronze" / pattern.format(GROUP), b"")
    landing(home)
    assert f"home/lake/bronze/held/{STEM}.json" in backed_up(home).files


def test_a_file_that_may_not_be_read_is_named_by_a_backup(home: Home) -> None:
    put("unreadable", home.folder / "mlflow" / "x", b"")
    with as_anybody(), pytest.raises(BackupIncomplete, match="mlflow/x: this account may not read it"):
        backed_up(home)
    assert not home.folder.with_name("kept").exists()
