"""Each part is killed, and each store's network cut, while batches come in: nothing landed is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from canopy.stack.environment import local
from tests.stack.running import CELL, Running, docker

pytestmark = pytest.mark.long

PARTS = (
    "minio", "mysql", "postgres", "mlflow", "airflow-api", "airflow-scheduler", "airflow-dag-processor",
    "airflow-triggerer", "serving", "ui",
)  # fmt: skip
NETWORKS = {"minio": "objects", "mysql": "mysql", "postgres": "postgres", "mlflow": "web"}
CUT_S = 20
HEALED_WITHIN_S = 420


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
    running.feed()
    running.wait_for("every part's health", lambda: all_well(running), HEALED_WITHIN_S)
    running.wait_for("a new publication", lambda: publications(running) > before, HEALED_WITHIN_S)


def all_well(running: Running) -> bool:
    """Whether each container but the init job's runs and is healthy."""
    return all(service.is_well for service in running.compose.services() if service.name != "init")


def check_identities(running: Running, known: set[str]) -> None:
    """What must hold whatever happened."""
    assert known <= landings(running), "something that had landed is gone"
    assert running.verify()["faults"] == []
    totals = running.catalog(
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
    ) == [[0]]


@pytest.mark.parametrize("service", PARTS)
def test_a_part_is_killed_while_batches_come_in(running: Running, service: str) -> None:
    running.wait_for("a model", running.ready, 600)
    running.feed()
    before, known = publications(running), landings(running)
    with asked_all_the_time(running) as answers:
        running.kill(service)
        heal(running, before)
    check_identities(running, known)
    if service != "serving":
        assert set(answers.statuses) == {200}


@pytest.mark.parametrize("service", NETWORKS)
def test_the_network_to_a_part_is_cut_while_batches_come_in(running: Running, service: str) -> None:
    running.wait_for("a model", running.ready, 600)
    running.feed()
    before, known = publications(running), landings(running)
    network, container = f"{running.project}_{NETWORKS[service]}", running.container(service)
    with asked_all_the_time(running) as answers:
        docker("network", "disconnect", network, container)
        time.sleep(CUT_S)
        docker("network", "connect", "--alias", service, network, container)
        heal(running, before)
    check_identities(running, known)
    assert set(answers.statuses) == {200}


@pytest.mark.parametrize("service", ["mlflow", "minio", "mysql", "postgres"])
def test_predictions_are_answered_while_a_part_is_down(running: Running, service: str) -> None:
    running.wait_for("a model", running.ready, 600)
    running.feed()
    before = publications(running)
    with asked_all_the_time(running) as answers:
        running.compose.run("stop", service)
        time.sleep(CUT_S)
        running.compose.run("start", service)
        heal(running, before)
    assert len(answers.statuses) > CUT_S
    assert set(answers.statuses) == {200}
