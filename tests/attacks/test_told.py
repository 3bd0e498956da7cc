"""Each alert tripped for real: told once when it begins, once when it is over, and there for Prometheus.

The whole local stack runs once. What it does not come to within minutes is in `test_told_prepared.py`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from contracts.prediction import EXAMPLE_VALUES
from deploy.local.environment import local
from deploy.local.parts import MONITOR, parts
from deploy.local.supervisor import RESTARTS, Supervisor
from deploy.secrets import SERVING, TRAINING, USER, load_secrets, part_secrets
from lake.bronze.quarantine import QUARANTINE
from pipeline.role import secrets_of
from tests.attacks.told import Receiver, Watched, frozen, kinds_of, receiver, until, was_told
from tests.deploy.monitor.test_process import monitor
from tests.serving.registry import answers, free_port, process, wait_until
from tests.serving.services import paths_in
from tests.ui.stack import Stack, run_canopy, running

__all__ = ["was_told"]

pytestmark = [pytest.mark.longest, pytest.mark.timeout(3000)]

MODEL = "canopy-covertype"
SPOOL_BYTES, SPOOL_LIMIT_BYTES = 50_000, 1_048_576
# What is told early enough to be waited for; nothing of it is told without a trouble.
PACE = {
    "CANOPY_START_TIMEOUT_S": "400",
    "MONITOR_EVERY_S": "2",
    "MONITOR_LAKE_EVERY_S": "4",
    "MONITOR_LIVE_LANDINGS": "2",
    "MONITOR_MESSAGES_PER_HOUR": "10000",
    "MONITOR_PUBLISH_WITHIN_S": "240",
    "MONITOR_REMEMBER_S": "40",
    "MONITOR_SPOOL_BYTES": str(SPOOL_BYTES),
    "MONITOR_STALE_S": "0",
    "MONITOR_STALE_WINDOWS": "6",
    "SERVING_LOG_SHIP_S": "2",
    "SERVING_SPOOL_LIMIT_BYTES": str(SPOOL_LIMIT_BYTES),
    "SOURCE_ATTEMPTS": "1",
    "SOURCE_BUDGET_S": "10",
    "SOURCE_RECHECK_S": "20",
    "SOURCE_TIMEOUT_S": "3",
    "TRAINING_DRIFT_PSI": "0",
    "TRAINING_LIVE_ROWS": "1000000000",
    "TRAINING_MINIMUM_GROWTH": "1000",
}
# Parts that can hang side by side without one being taken for the other.
HANG_TOGETHER = [
    ("docs", "mlflow", "serving", "ui"),
    ("airflow-dag-processor", "airflow-scheduler", "airflow-triggerer"),
    ("airflow-api",),
]


@dataclass(frozen=True)
class Told(Stack):
    """A running stack whose alerts are taken.

    Attributes:
        receiver: Who is told.
        rows: What its simulator serves.
    """

    receiver: Receiver
    rows: Path

    @property
    def watched(self) -> Watched:
        """Its monitor."""
        return Watched(local(self.settings.monitor_port), self.receiver)

    def pid(self, part: str) -> int:
        """The process of a part."""
        states = Supervisor(self.settings.folder).states()
        return next(state.pid for state in states if state.part == part)

    def kill(self, part: str) -> None:
        """Ends a part with `kill -9`; supervisord starts it again."""
        os.kill(self.pid(part), signal.SIGKILL)

    def feed(self) -> None:
        """Has the source begin again at its first batch: after ten of them it would have no more."""
        run_canopy(self.environment, "source", "restart", "--group", "1", "--yes")

    def serve(self, table: pa.Table) -> None:
        """Has the source serve these rows from now on."""
        fresh = self.rows.with_suffix(".fresh")
        pq.write_table(table, fresh)
        fresh.replace(self.rows)
        self.kill("source")
        until("the source", lambda: httpx.get(local(self.settings.source_port), trust_env=False).is_success)
        self.feed()

    def airflow(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What Airflow answers its administrator."""
        url = local(self.settings.airflow_port)
        account = {"username": USER, "password": load_secrets(self.settings.folder).airflow_password}
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            token = client.post("/auth/token", json=account).raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            return client.request(method, f"/api/v2/{path}", headers=headers, **more).raise_for_status()

    def mlflow(self, method: str, path: str, **more: Any) -> Any:
        """What MLflow answers who trains."""
        auth = TRAINING, load_secrets(self.settings.folder).mlflow[TRAINING]
        url = f"{local(self.settings.mlflow_port)}/api/2.0/mlflow/{path}"
        return (
            httpx.request(method, url, auth=auth, timeout=60, trust_env=False, **more)
            .raise_for_status()
            .json()
        )

    def predict(self, rows: int) -> None:
        """Asks the service about a file of so many rows."""
        cell = zip(covertype().features, EXAMPLE_VALUES, strict=True)
        body = pa.BufferOutputStream()
        pyarrow.csv.write_csv(pa.table({column.name: [value] * rows for column, value in cell}), body)
        key = (self.settings.folder / "predict.key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "text/csv"}
        url = f"{local(self.settings.serving_port)}/v1/predictions:batch"
        answer = httpx.post(
            url, content=body.getvalue().to_pybytes(), headers=headers, timeout=60, trust_env=False
        )
        assert answer.is_success, answer.text


@dataclass
class Unready:
    """A prediction service, and a monitor that looks at it.

    Attributes:
        watched: The monitor.
        folder: What both write lies below it.
        port: Where the service answers.
    """

    watched: Watched
    folder: Path
    port: int

    @contextmanager
    def service(self, **settings: str) -> Iterator[None]:
        """Starts the service, and waits until it lives."""
        paths = {f"SERVING_{name.upper()}": str(path) for name, path in paths_in(self.folder).items()}
        environment = (
            paths | {"SERVING_PORT": str(self.port), "LAKE_URI": str(self.folder / "lake")} | settings
        )
        with process([sys.executable, "-m", "serving"], self.folder / "serving.log", environment):
            wait_until(lambda: answers(f"{local(self.port)}/live"), 60)
            yield


@pytest.fixture(scope="module")
def unready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Unready, ExitStack]]:
    """A service that has no model, before all else: a quarter of an hour must go by until that is told."""
    folder, port = tmp_path_factory.mktemp("unready"), free_port()
    settings = {"UI_SERVING_URL": local(port), "MONITOR_EVERY_S": "2"}
    with (
        receiver() as taker,
        monitor(folder, ALERT_URLS=taker.url, **settings) as (page, _),
        ExitStack() as open_,
    ):
        made = Unready(Watched(page, taker), folder, port)
        open_.enter_context(made.service(TRAINING_MLFLOW_URL="http://127.0.0.1:9"))
        yield made, open_


@pytest.fixture(scope="module")
def truth(survey: Path) -> pa.Table:
    """Half of the rows; the other half is for lies."""
    table = pq.read_table(survey)
    return table.take(pa.array(np.arange(0, table.num_rows, 2)))


@pytest.fixture(scope="module")
def lies(survey: Path) -> pa.Table:
    """Rows that nobody has seen, with each other's labels."""
    table = pq.read_table(survey)
    table = table.take(pa.array(np.arange(1, table.num_rows, 2)))
    label = table.column_names[-1]
    shuffled = np.random.default_rng(7).permutation(table.num_rows)
    return table.set_column(table.num_columns - 1, label, table[label].take(pa.array(shuffled)))


@pytest.fixture(scope="module")
def stack(unready: object, truth: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("told")
    rows = folder / "rows.parquet"
    pq.write_table(truth, rows)
    least = shutil.disk_usage(folder).free // 2
    with receiver() as taker:
        told = {"ALERT_URLS": taker.url, "MONITOR_DISK_FREE_BYTES": str(least)}
        with running(folder / "home", rows, 2, **PACE, **told) as started:
            yield Told(started.settings, started.environment, taker, rows)


@pytest.mark.tells("PartDown")
@pytest.mark.parametrize("hung", HANG_TOGETHER, ids="+".join)
def test_a_part_that_hangs_is_told_by_its_name(stack: Told, hung: tuple[str, ...]) -> None:
    numbers = {f'canopy_part_up{{part="{part}"}}': 0.0 for part in hung}
    trouble = frozen(*(stack.pid(part) for part in hung))
    stack.watched.tells(trouble, *(("PartDown", part) for part in hung), numbers=numbers)


@pytest.mark.tells("PartRestarted")
def test_each_part_that_is_killed_is_told_as_started_again(stack: Told) -> None:
    killed = [part.name for part in parts(stack.settings) if part.name != MONITOR]

    @contextmanager
    def kills() -> Iterator[None]:
        for part in killed:
            stack.kill(part)
            until(f"{part} to be told", lambda: stack.receiver.told(("PartRestarted", part))[0])  # noqa: B023
        yield

    numbers = {f'canopy_part_restarts{{part="{part}"}}': 1.0 for part in killed}
    stack.watched.tells(kills(), *(("PartRestarted", part) for part in killed), numbers=numbers)
    until("every part to be well", lambda: _are_well(stack))


@pytest.mark.tells("PartDown")
def test_a_part_that_is_given_up_is_told_until_a_person_starts_it(stack: Told) -> None:
    def is_given_up() -> bool:
        states = {state.part: state for state in Supervisor(stack.settings.folder).states()}
        return states["docs"].is_dead

    @contextmanager
    def given_up() -> Iterator[None]:
        seen: set[int] = set()
        deadline = time.monotonic() + 120
        while not is_given_up() and time.monotonic() < deadline:
            if (pid := stack.pid("docs")) and pid not in seen:
                seen.add(pid)
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        assert is_given_up()
        assert len(seen) <= 1 + RESTARTS
        yield
        run_canopy(stack.environment, "up")

    stack.watched.tells(given_up(), ("PartDown", "docs"), numbers={'canopy_part_up{part="docs"}': 0.0})


@pytest.mark.tells("PartDown", "LandingStale", "RunFailed")
def test_a_source_that_stands_still_is_told_as_part_as_run_and_as_standstill(stack: Told) -> None:
    before = len(_of_failed_runs(stack.receiver, "collect"))
    newest = 'canopy_newest_landing_timestamp_seconds{group="1",source="covertype"}'
    landed_at = stack.watched.number(newest)
    stack.feed()
    until("a landing", lambda: stack.watched.number(newest) != landed_at)

    @contextmanager
    def stands_still() -> Iterator[None]:
        with frozen(stack.pid("source")):
            yield
            landed_at = stack.watched.number(newest)
            assert landed_at is not None
            assert time.time() - landed_at > 6 * 17

    keys = ("PartDown", "source"), ("LandingStale", "covertype/group=01"), ("RunFailed", "collect")
    stack.watched.tells(stands_still(), *keys, numbers={'canopy_failed_runs{dag="collect"}': 1.0})
    # Airflow tells it too, at once, and of each DAG once an hour.
    assert len(_of_failed_runs(stack.receiver, "collect")) == max(before, 1)


@pytest.mark.tells("PublicationLate", "PredictionsWaiting")
def test_what_is_not_published_and_predictions_that_wait_are_told(stack: Told) -> None:
    predictions = Path(stack.lake.uri) / "bronze" / "predictions"

    @contextmanager
    def nothing_gets_through() -> Iterator[None]:
        with paused(stack, "refine"), cannot_be_written(predictions):
            stack.feed()
            stack.predict(50)
            yield
            assert (stack.watched.number("canopy_landings_waiting") or 0) >= 1
        stack.feed()  # what lands now has all of it published

    keys = ("PublicationLate", "gold"), ("PredictionsWaiting", "serving")
    stack.watched.tells(nothing_gets_through(), *keys)


@pytest.mark.tells("PredictionsLost")
def test_a_spool_that_is_full_is_told_as_predictions_that_are_lost(stack: Told) -> None:
    @contextmanager
    def full() -> Iterator[None]:
        stack.predict(40_000)
        yield

    stack.watched.tells(full(), ("PredictionsLost", "serving"))


@pytest.mark.tells("DiskFilling")
def test_a_disk_that_fills_is_told(stack: Told) -> None:
    file, free = stack.settings.folder / "filler", shutil.disk_usage(stack.settings.folder).free

    @contextmanager
    def filled() -> Iterator[None]:
        # A place on the disk, of which nothing is written: it costs no time, and is let go of in a moment.
        subprocess.run(["fallocate", "--length", str(int(free * 0.6)), str(file)], check=True)
        try:
            yield
            room = stack.watched.number(f'canopy_disk_free_bytes{{folder="{stack.settings.folder}"}}')
            assert room is not None
            assert room < free // 2
        finally:
            file.unlink()

    stack.watched.tells(filled(), ("DiskFilling", str(stack.settings.folder)))


@pytest.mark.tells("ThingQuarantined")
def test_something_unreadable_is_told_until_a_person_takes_it_out(stack: Told) -> None:
    name = "told.response"
    # Its bytes lie beside the folder that they came into, its reason in the lake too.
    places = stack.settings.folder / "incoming" / QUARANTINE, Path(stack.lake.uri) / QUARANTINE

    def set_aside() -> list[Path]:
        found = [file for place in places for file in place.rglob("*") if name in file.name]
        return found if len(found) >= 3 else []

    (stack.settings.folder / "incoming" / name).write_bytes(b"\0" * 64)
    until("it to be set aside", set_aside)
    (subject,) = {key for key in _waited(stack.watched, "ThingQuarantined") if name in key[1]}
    for file in set_aside():
        file.unlink()
    until("its end", lambda: stack.receiver.told(subject)[1])
    stack.watched.wait_for_looks(3)
    assert stack.receiver.told(subject) == (1, 1)


@pytest.mark.tells("DagBroken")
def test_a_dag_that_airflow_cannot_read_is_told(stack: Told) -> None:
    """A run of refine would write the manifest anew, before anybody has looked."""
    manifest = stack.settings.folder / "dbt" / "target" / "manifest.json"
    tasks = "dags/refine/dagRuns/~/taskInstances"
    with paused(stack, "refine"):  # which begins no further task, of a run that goes on either
        until(
            "refine's tasks to end",
            lambda: (
                not stack.airflow("GET", tasks, params={"state": ["queued", "running"]}).json()[
                    "task_instances"
                ]
            ),
        )
        stack.watched.tells(moved(manifest, manifest.with_suffix(".aside")), ("DagBroken", "refine.py"))


@pytest.mark.tells("ModelRefused")
def test_a_version_that_nobody_signed_is_told(stack: Told) -> None:
    known = stack.mlflow("GET", "registered-models/alias", params={"name": MODEL, "alias": "champion"})
    version = known["model_version"]

    @contextmanager
    def unsigned() -> Iterator[None]:
        copy = {name: version[name] for name in ("name", "source", "run_id")}
        copy["model_id"] = version["source"].removeprefix("models:/")
        made = stack.mlflow("POST", "model-versions/create", json=copy)["model_version"]["version"]
        alias = {"name": MODEL, "alias": "champion"}
        stack.mlflow("POST", "registered-models/alias", json=alias | {"version": made})
        try:
            yield
        finally:
            stack.mlflow("POST", "registered-models/alias", json=alias | {"version": version["version"]})
            stack.mlflow("DELETE", "model-versions/delete", json={"name": MODEL, "version": made})

    stack.watched.tells(unsigned(), ("ModelRefused", "serving"))


@pytest.mark.tells("AccuracyLow")
def test_a_champion_that_keeps_less_than_it_promised_is_told(
    stack: Told, truth: pa.Table, lies: pa.Table
) -> None:
    @contextmanager
    def lied_to() -> Iterator[None]:
        stack.serve(lies)
        try:
            yield
            live, promised = (
                stack.watched.number(f"canopy_{name}_accuracy") for name in ("live", "promised")
            )
            assert live is not None
            assert promised is not None
            assert live < promised
        finally:
            stack.serve(truth)

    stack.watched.tells(lied_to(), ("AccuracyLow", "champion"))


@pytest.mark.tells("PartDown")
def test_a_supervisord_that_was_killed_is_told_until_the_stack_runs_again(stack: Told) -> None:
    """The monitor ends with it, and its page; the one that tells the end is another."""
    watched, key = stack.watched, ("PartDown", "supervisord")
    begun, over = watched.receiver.told(key)
    os.kill(int((stack.settings.folder / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    until("it to be told", lambda: watched.receiver.told(key)[0] > begun)
    run_canopy(stack.environment, "up")
    until("its end to be told", lambda: watched.receiver.told(key)[1] > over)
    watched.wait_for_looks(3)
    assert watched.receiver.told(key) == (begun + 1, over + 1)
    assert key not in watched.active


@contextmanager
def paused(stack: Told, dag: str) -> Iterator[None]:
    """Has Airflow start no run of a DAG."""
    stack.airflow("PATCH", f"dags/{dag}", json={"is_paused": True})
    try:
        yield
    finally:
        stack.airflow("PATCH", f"dags/{dag}", json={"is_paused": False})


@contextmanager
def cannot_be_written(folder: Path) -> Iterator[None]:
    """Mounts a disk that takes nothing: a file in the folder's place would be put aside."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def moved(path: Path, aside: Path) -> Iterator[None]:
    """Takes something away; whatever is in its place at the end makes room for it."""
    if path.exists():
        path.rename(aside)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        if aside.exists():
            aside.rename(path)


@pytest.mark.tells("NoChampion")
def test_a_service_without_a_model_is_told_until_it_has_one(
    unready: tuple[Unready, ExitStack], stack: Told
) -> None:
    """A quarter of an hour after it was started, which the other tests have used."""
    (without, first), key = unready, ("NoChampion", "serving")
    until("no model to be told", lambda: without.watched.receiver.told(key)[0], 1000)
    assert "NoChampion" in kinds_of(without.watched.page)
    first.close()
    account = secrets_of(str(part_secrets(stack.settings.folder, SERVING)))
    with without.service(TRAINING_MLFLOW_URL=local(stack.settings.mlflow_port), **account):
        until("its end", lambda: without.watched.receiver.told(key)[1])
        without.watched.wait_for_looks(3)
    assert without.watched.receiver.told(key) == (1, 1)


def _are_well(stack: Told) -> bool:
    return all(
        httpx.get(part.health, timeout=10, trust_env=False).is_success for part in parts(stack.settings)
    ) and not any(kind == "PartDown" for kind, _ in stack.watched.active)


def _waited(watched: Watched, kind: str) -> set[tuple[str, str]]:
    """The active alerts of a kind, once there is one and it was told."""
    until(
        f"{kind} to be told",
        lambda: any(watched.receiver.told(key)[0] for key in watched.active if key[0] == kind),
    )
    return {key for key in watched.active if key[0] == kind}


def _of_failed_runs(taker: Receiver, dag: str) -> list[str]:
    """What Airflow itself has told of a DAG."""
    title = f"Canopy: a run of {dag} failed"
    return [message["message"] for message in taker.taken if message["title"] == title]
