"""Each part is killed, and each store's network cut, while batches come in: nothing landed is lost."""

from __future__ import annotations

import time

import pytest

from tests.stack.holdings import asked_all_the_time, check_identities, heal, landings, publications
from tests.stack.running import Running, docker

pytestmark = pytest.mark.long

PARTS = (
    "minio", "mysql", "postgres", "mlflow", "airflow-api", "airflow-scheduler", "airflow-dag-processor",
    "airflow-triggerer", "serving", "ui",
)  # fmt: skip
NETWORKS = {"minio": "objects", "mysql": "mysql", "postgres": "postgres", "mlflow": "web"}
CUT_S = 20


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
