"""The state of the stack: batches, runs, publication, champion."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from canopy.screens.predict import open_client
from clients.airflow import DAGS, AirflowApi, Run
from contracts.errors import NothingPublished, ServingError
from contracts.stack_settings import StackSettings
from lake.bronze.events import Event, ends
from lake.bronze.landings import ROWS
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.objects import open_objects
from lake.publish.pointer import Publication, latest
from lake.settings import LakeSettings


@dataclass(frozen=True)
class Batch:
    """One landing, as silver counted it."""

    landing_id: str
    batch: int
    landed: int
    new: int
    quarantined: int


@dataclass(frozen=True)
class StackState:
    """One look at everything.

    Attributes:
        landed: Landings in bronze.
        ended: The groups whose source has no more batches.
        batches: Landings in silver, oldest first.
        publication: Where the pointer stands.
        champion: What the prediction service says of its model, or None.
        runs: The newest runs of each DAG, newest first.
        at_work: Tasks at work, as `dag.task`.
    """

    landed: int = 0
    ended: tuple[Event, ...] = ()
    batches: tuple[Batch, ...] = ()
    publication: Publication | None = None
    champion: dict[str, Any] | None = None
    runs: dict[str, list[Run]] = field(default_factory=dict)
    at_work: tuple[str, ...] = ()

    @property
    def champion_version(self) -> int | None:
        """Returns the number of the version that answers."""
        return int(self.champion["version"]) if self.champion else None

    def refined(self) -> int:
        """Returns how many refine runs have succeeded."""
        return sum(run.state == "success" for run in self.runs.get("refine", []))

    def is_idle(self, dag: str) -> bool:
        """Returns whether a DAG has neither a queued nor a running run."""
        return all(run.is_over for run in self.runs.get(dag, []))

    @property
    def is_all_published(self) -> bool:
        """Returns whether every landing in bronze is in what is published."""
        return self.publication is not None and self.publication.landings == self.landed


class Watch:
    """Looks again and again; the lake is queried only when a refine run has ended."""

    def __init__(self, settings: StackSettings, lake: LakeSettings, airflow: AirflowApi) -> None:
        self._settings = settings
        self._lake = lake
        self._objects = open_objects(lake)
        self._airflow = airflow
        self._now = StackState()
        self._looked = False

    def poll_stack(self) -> StackState:
        """Returns what is the case now."""
        runs = {dag: self._airflow.runs(dag) for dag in DAGS}
        at_work = tuple(
            f"{run.dag}.{task}"
            for found in runs.values()
            for run in found
            if run.state == "running"
            for task in self._airflow.running_tasks(run)
        )
        now = replace(
            self._now,
            landed=len(self._objects.keys(ROWS)),
            ended=ends(self._objects),
            champion=champion(self._settings),
            runs=runs,
            at_work=at_work,
        )
        if not self._looked or now.refined() != self._now.refined():
            now = replace(now, batches=batches(self._lake), publication=latest(self._lake))
            self._looked = True
        self._now = now
        return now


def batches(lake: LakeSettings) -> tuple[Batch, ...]:
    """Returns every landing that silver has counted, oldest first."""
    try:
        with connect(lake) as connection:
            if not has_table(connection, "silver.landings"):
                return ()
            rows = connection.execute(
                "select landing_id, batch_number, landed_rows, new_rows, quarantined_rows "
                "from silver.landings order by fetched_at, landing_id"
            ).fetchall()
    except NothingPublished:
        return ()
    return tuple(Batch(*row) for row in rows)


def scores_text(model: dict[str, Any]) -> str:
    """Returns macro-F1 with its interval, as the prediction service tells it of a model."""
    scores = model["scores"]
    if None in (scores["macro_f1"], scores["macro_f1_low"], scores["macro_f1_high"]):
        return "without scores"
    return "macro-F1 {macro_f1:.3f} [{macro_f1_low:.3f}, {macro_f1_high:.3f}]".format(**scores)


def champion(settings: StackSettings) -> dict[str, Any] | None:
    """Returns what the prediction service says of the model it answers with; None if it has none."""
    try:
        # The key is there only once the service has started.
        with open_client(settings) as client:
            return client.model().model_dump()
    except ServingError:
        return None
