"""What the stack holds, what must be true of it whatever happened, and how it is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.local.environment import local
from tests.deploy.stack.running import CELL, Running

HEALED_WITHIN_S = 420
# The simulator has ten batches, and hands out one more every ten seconds at most.
FED_EVERY_S = 60


@dataclass
class Answers:
    """What the prediction service answered while something else was down."""

    statuses: list[int] = field(default_factory=list)


@contextmanager
def asked_all_the_time(running: Running) -> Iterator[Answers]:
    """Asks for a prediction ten times a second."""
    answers, stop = Answers(), threading.Event()
    url = f"{local(running.settings.serving_port)}/v1/predictions"

    def ask() -> None:
        with httpx.Client(timeout=10, headers=running.predict_headers) as client:
            while not stop.wait(0.1):
                try:
                    answers.statuses.append(client.post(url, json={"rows": [CELL]}).status_code)
                except httpx.HTTPError:
                    answers.statuses.append(0)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()


def publications(running: Running) -> int:
    """How often was published."""
    return int(running.catalog("select count(*) from published.publications")[0][0])


def landings(running: Running) -> set[str]:
    """The keys of all rows in bronze."""
    return set(running.keys("bronze/rows/"))


def heal(running: Running, before: int) -> None:
    """Waits until every part is well and something new is published."""
    running.wait_for("every part's health", lambda: all_well(running), HEALED_WITHIN_S)
    wait_for_publication(running, before)


def wait_for_publication(running: Running, before: int) -> None:
    """Feeds the source until more is published than there was."""
    fed_at = 0.0

    def is_published() -> bool:
        nonlocal fed_at
        if time.monotonic() - fed_at > FED_EVERY_S:
            running.feed()
            fed_at = time.monotonic()
        return publications(running) > before

    running.wait_for("a new publication", is_published, HEALED_WITHIN_S)


def all_well(running: Running) -> bool:
    """Whether each container but the init job's runs and is healthy."""
    return all(service.is_healthy for service in running.compose.services() if service.name != "init")


def check_identities(running: Running, known: set[str]) -> None:
    """What must hold whatever happened, of what is published: a build that is under way is not."""
    assert known <= landings(running), "something that had landed is gone"
    assert running.verify()["faults"] == []
    totals = running.published(
        "select sum(landed_rows), sum(accepted_rows), sum(quarantined_rows), "
        "(select count(*) from silver.observations), (select count(distinct row_id) from silver.sightings), "
        "(select count(*) from silver.quarantine), (select count(*) from silver.sightings) "
        "from silver.landings"
    )[0]
    landed, accepted, quarantined, observations, distinct, kept_apart, sightings = map(int, totals)
    assert landed == accepted + quarantined == sightings + kept_apart
    assert observations == distinct
    assert running.catalog(
        "select count(*) - count(distinct publication_id) from published.publications"
    ) == [(0,)]
    assert ended_well_without_a_publication(running) == []


def ended_well_without_a_publication(running: Running) -> list[str]:
    """The refines of which Airflow says that they succeeded, and that published nothing."""
    query = (
        "select run_id from dag_run where dag_id = 'refine' and state = 'success' and run_id not in (select "
        "run_id from task_instance where dag_id = 'refine' and task_id = 'publish' and state = 'success')"
    )
    return running.airflow_sql(query)


def wait_for_work(running: Running) -> None:
    """Feeds the source until dbt builds what it gave: that is when a fault does most harm."""
    running.wait_for("a model", running.ready, HEALED_WITHIN_S)
    running.feed()
    running.wait_for("a refine at work", lambda: is_building(running), HEALED_WITHIN_S)


def is_building(running: Running) -> bool:
    """Whether dbt is at work in a refine."""
    newest = running.airflow.runs("refine", limit=1)
    return bool(newest) and "build.dbt_producer_watcher" in running.airflow.running_tasks(newest[0])


def state(running: Running) -> dict[str, Any]:
    """What a backup or another version must leave as it is; what comes in at any time apart."""
    url = f"{local(running.settings.serving_port)}/v1/predictions"
    answer = httpx.post(url, json={"rows": [CELL]}, headers=running.predict_headers, timeout=30)
    return {
        "published": running.sql("select count(*) as rows, sum(elevation_m) as sum from gold.training_set"),
        "publications": publications(running),
        "answer": [answer.raise_for_status().json()[part] for part in ("model", "predictions")],
        "runs": running.mysql("select count(*) from mlflow.runs"),
        "secrets": {file.name: file.read_text() for file in running.secrets.iterdir()},
    }


def let_all_end(running: Running) -> None:
    """Stops the source, and waits until what came from it is built and learned from."""
    running.compose.run("stop", "source")
    running.wait_for("an idle Airflow", lambda: is_idle(running), HEALED_WITHIN_S)


def is_idle(running: Running) -> bool:
    """Whether what lands, builds and trains has nothing to do."""
    return all(run.is_over for dag in ("refine", "train") for run in running.airflow.runs(dag))
