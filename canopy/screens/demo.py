"""`canopy demo`: the whole way on this machine, by the same parts that run every day."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from canopy.screens.predict import predict_rows, rows_from
from canopy.screens.progress import Progress
from canopy.screens.status import are_ended
from canopy.screens.watch import StackState, Watch
from clients.airflow import AirflowApi, Run
from contracts.errors import DemoStuck, SourceEnded, StackError
from contracts.stack_settings import StackSettings
from deploy.local.environment import given_environment, local
from deploy.local.launch import bring_up, check_alive, check_start, start_over
from deploy.local.parts import parts
from deploy.local.supervisor import Supervisor
from deploy.secrets import COMMANDS, READER, USER, commands_account, load_secrets
from deploy.signals import interruptible, to_its_end
from lake.read.lineage import lineage
from lake.settings import LakeSettings
from ui.reading.registry import open_registry
from ui.settings import UiSettings

BATCHES = 10
# The clock, sped up: a batch lasts as long as refining the one before it takes on two cores.
WINDOW_S, COLLECT_EVERY_S = 17.0, 18.0
# Small forests, and only when the rows have doubled: two cores also refine meanwhile.
TRAINING = {"TRAINING_PARAMETERS": '{"trees": 60}', "TRAINING_MINIMUM_GROWTH": "1.0"}
# One request a batch: a process for each of thirty would leave the two cores no time for the rest.
COLLECTING = {"SOURCE_REQUESTS_PER_WINDOW": "1"}
# Ten batches of a real source take fifty minutes: its clock is not ours to speed up.
STEP_LIMIT_S, REAL_STEP_LIMIT_S = 900.0, 7200.0
LOOK_EVERY_S = 1.0

Done = Callable[[StackState], bool]


def run_demo(settings: StackSettings, *, fresh: bool, leave: bool) -> dict[str, Any]:
    """Runs the whole way and says what came out of it.

    Args:
        settings: Ports, folders, rows.
        fresh: Put aside what an earlier demo has collected, and begin anew.
        leave: Stop everything when the prediction is served, instead of staying up.

    Returns: Seconds per stage, rows landed, distinct and quarantined, snapshot, champion, prediction.
    Raises: StackError if the stack runs already; SettingsInvalid, RowsUnreadable, HomeNotMarked, before
        anything is touched; PortTaken, PartDied, DemoStuck, and then everything that was started is stopped.
    """
    if Supervisor(settings.folder).is_running() and not fresh:
        raise StackError("The stack is running already. Stop it with `canopy down`, then start the demo.")
    if settings.is_simulated and "CANOPY_WINDOW_S" not in given_environment():
        settings = settings.model_copy(update={"window_s": WINDOW_S, "collect_every_s": COLLECT_EVERY_S})
    os.environ.update(TRAINING | COLLECTING | os.environ)
    console = Console(stderr=True)
    check_start(settings)
    if Supervisor(settings.folder).is_running():
        console.print(f"The stack that runs from {settings.folder} is stopped first.", highlight=False)
    if fresh and (aside := start_over(settings)):
        console.print(f"What was there before is kept in {aside}, until the next --fresh.", highlight=False)
    progress = Progress(console)
    with interruptible(), _stopping(settings):
        with progress.shown():
            report = _Demo(settings, progress).run()
        if not leave:
            console.print(_summary(report))
            console.print(addresses(settings))
            _stay(Supervisor(settings.folder))
    return report


class _Demo:
    """The demo's stages, with the seconds that each took."""

    def __init__(self, settings: StackSettings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._supervisor = Supervisor(settings.folder)
        password = load_secrets(settings.folder).airflow[COMMANDS]
        self._airflow = AirflowApi(local(settings.airflow_port), COMMANDS, password)
        os.environ.update(commands_account(settings.folder) | os.environ)
        self._watch = Watch(settings, LakeSettings(), self._airflow)
        self._started = time.monotonic()
        self._seconds: dict[str, float] = {}

    def run(self) -> dict[str, Any]:
        """Runs stage after stage; the seconds count from the start."""
        bring_up(self._settings, say=self._progress.say)
        self._stage("start")
        self._until("the first champion", lambda now: now.champion is not None)
        self._stage("first_champion")
        predict_rows(rows_from(None), self._settings)
        self._stage("first_prediction")
        self._until(f"{BATCHES} batches, refined and published", is_collected)
        self._stage("batches")
        self._train_on_everything()
        self._stage("champion")
        prediction = predict_rows(rows_from(None), self._settings)
        self._stage("prediction")
        self._write_docs()
        self._stage("docs")
        return _report(self._watch.poll_stack(), prediction, self._seconds)

    def _train_on_everything(self) -> None:
        """Lets Airflow train once more if no model has seen the last batches yet."""
        now = self._until("training", lambda now: now.is_idle("train"))
        if now.publication and _snapshot(now) == now.publication.snapshot_id:
            return
        self._run_now("train", "a model of all batches", force=True)
        promoted = open_registry(UiSettings()).champion().number
        self._until(f"version {promoted} to be served", lambda now: now.champion_version == promoted)

    def _write_docs(self) -> None:
        page, what = self._settings.dbt_docs_folder / "index.html", "dbt's description of the tables"
        if not page.exists():
            self._run_now("maintain", what)
            if not page.exists():
                logs = self._settings.folder / "airflow" / "logs" / "dag_id=maintain"
                raise DemoStuck(what, f"the DAG maintain left none; its logs are below {logs}")

    def _run_now(self, dag: str, waiting: str, **params: Any) -> None:
        run_id = self._airflow.trigger(dag, **params)
        self._until(waiting, lambda now: _is_over(now, dag, run_id))

    def _until(self, waiting: str, is_done: Done) -> StackState:
        limit_s = STEP_LIMIT_S if self._settings.is_simulated else REAL_STEP_LIMIT_S
        deadline = time.monotonic() + limit_s
        while True:
            check_alive(self._supervisor)
            now = self._watch.poll_stack()
            self._progress.update(now, waiting)
            self._refuse_failures(now, waiting)
            refuse_nothing(now)
            if is_done(now):
                return now
            if time.monotonic() > deadline:
                raise DemoStuck(waiting, f"it took more than {limit_s:.0f} s")
            time.sleep(LOOK_EVERY_S)

    def _refuse_failures(self, now: StackState, waiting: str) -> None:
        for run in failed_runs(now):
            tasks = ", ".join(self._airflow.failed_tasks(run)) or "a task"
            logs = self._settings.folder / "airflow" / "logs" / f"dag_id={run.dag}" / f"run_id={run.run_id}"
            raise DemoStuck(waiting, f"{tasks} of the DAG {run.dag} failed; its log is below {logs}")

    def _stage(self, name: str) -> None:
        self._seconds[name] = round(time.monotonic() - self._started, 1)


def addresses(settings: StackSettings) -> Group:
    """Returns where everything is, and how to sign in: whole also on a narrow terminal, to be copied."""
    table, known = Table("What", "Where", title="Canopy is up"), load_secrets(settings.folder)
    sign_in = {
        "airflow-api": (USER, known.airflow_password),
        "mlflow": (READER, known.mlflow_reader_password),
    }
    lines = []
    for part in parts(settings):
        if part.url:
            table.add_row(part.title, Text(part.url, no_wrap=True, overflow="ignore"))
        if part.name in sign_in:
            user, password = sign_in[part.name]
            line = f"Sign in to {part.title} as {user} with {password}"
            lines.append(Text(line, no_wrap=True, overflow="ignore"))
    return Group(table, *lines)


def _summary(report: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    low, high = report["macro_f1_interval"]
    table.add_row(
        "rows",
        "{landed:,} landed, {distinct:,} distinct, {quarantined:,} quarantined".format(**report["rows"]),
    )
    table.add_row("published", f"snapshot {report['published_snapshot']}")
    table.add_row(
        "champion",
        f"version {report['champion_version']}, macro-F1 {report['macro_f1']:.3f} [{low:.3f}, {high:.3f}]",
    )
    learned = report["lineage"]
    table.add_row(
        "learned from", f"{len(learned['landings'])} responses, the last: {learned['raw_keys'][-1]}"
    )
    table.add_row("prediction", str(report["prediction"]["predictions"][0]["cover_type_name"]))
    return table


def _report(now: StackState, prediction: dict[str, Any], seconds: dict[str, float]) -> dict[str, Any]:
    if now.publication is None or now.champion is None:
        raise DemoStuck("a champion", "it went away again")
    scores = now.champion["scores"]
    return {
        "seconds": seconds,
        "rows": {
            "landed": sum(batch.landed for batch in now.batches),
            "distinct": now.publication.observations,
            "quarantined": now.publication.quarantined,
        },
        "published_snapshot": now.publication.snapshot_id,
        "publication": asdict(now.publication) | {"published_at": now.publication.published_at.isoformat()},
        "champion_version": now.champion["version"],
        "macro_f1": scores["macro_f1"],
        "macro_f1_interval": [scores["macro_f1_low"], scores["macro_f1_high"]],
        "prediction": prediction,
        "lineage": lineage(LakeSettings(), int(prediction["model"]["snapshot_id"])),
    }


def refuse_nothing(now: StackState) -> None:
    """Refuses a source that is at its end from the start: it has nothing for a demo. Raises: SourceEnded."""
    if now.ended and not now.landed and are_ended(now.ended):
        said = [f"{end.source}, group {end.group}: {end.detail}" for end in now.ended]
        raise SourceEnded("; ".join(said), now.ended[0].group)


def failed_runs(now: StackState) -> list[Run]:
    """Returns the newest run of each DAG that has failed and that the demo depends on.

    A round of maintenance fails where the lake was at rest for days (ClockDoubted), which is no matter here.
    """
    newest = [runs[0] for dag, runs in now.runs.items() if runs and dag != "maintain"]
    return [run for run in newest if run.state == "failed"]


def is_collected(now: StackState) -> bool:
    """Returns whether there is enough, or all that will come, and it is published."""
    return (
        (len({batch.batch for batch in now.batches}) >= BATCHES or are_ended(now.ended))
        and now.is_all_published
        and now.is_idle("refine")
    )


def _snapshot(now: StackState) -> int | None:
    return int(now.champion["snapshot_id"]) if now.champion else None


def _is_over(now: StackState, dag: str, run_id: str) -> bool:
    return any(run.run_id == run_id and run.is_over for run in now.runs[dag])


def _stay(supervisor: Supervisor) -> None:
    """Waits for Ctrl-C, or until a part ends by itself."""
    Console(stderr=True).print("Ctrl-C stops everything.")
    try:
        while supervisor.is_running():
            check_alive(supervisor)
            time.sleep(2)
        raise StackError("The stack was stopped from elsewhere.")
    except KeyboardInterrupt:
        return


@contextmanager
def _stopping(settings: StackSettings) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        with to_its_end():
            supervisor = Supervisor(settings.folder)
            with suppress(OSError, SystemExit, StackError):  # nobody may be there any more who reads it
                if supervisor.is_running():
                    Console(stderr=True).print("Stopping every part …")
            supervisor.stop()
