"""Each part is killed, and each store's network cut, while batches come in: nothing landed is lost."""

from __future__ import annotations

import time

import pytest

from tests.deploy.stack.holdings import (
    HEALED_WITHIN_S,
    all_well,
    asked_all_the_time,
    check_identities,
    heal,
    landings,
    publications,
    wait_for_work,
)
from tests.deploy.stack.running import Running

pytestmark = pytest.mark.long

PARTS = (
    "minio", "mysql", "postgres", "mlflow", "airflow-api", "airflow-scheduler", "airflow-dag-processor",
    "airflow-triggerer", "serving", "ui", "docs",
)  # fmt: skip
STORES = ("minio", "mysql", "postgres", "mlflow")
CUT_S = 20


@pytest.mark.parametrize("service", PARTS)
def test_a_part_is_killed_while_batches_come_in(running: Running, service: str) -> None:
    wait_for_work(running)
    before, known = publications(running), landings(running)
    with asked_all_the_time(running) as answers:
        running.kill(service)
        heal(running, before)
    check_identities(running, known)
    if service != "serving":
        assert set(answers.statuses) == {200}


@pytest.mark.parametrize("service", STORES)
def test_the_network_to_a_part_is_cut_while_batches_come_in(running: Running, service: str) -> None:
    wait_for_work(running)
    before, known = publications(running), landings(running)
    with asked_all_the_time(running) as answers:
        with running.cut_off(service):
            time.sleep(CUT_S)
        heal(running, before)
    check_identities(running, known)
    assert set(answers.statuses) == {200}


@pytest.mark.parametrize("service", STORES)
def test_predictions_are_answered_while_a_part_is_down(running: Running, service: str) -> None:
    running.wait_for("a model", running.ready, 600)
    with asked_all_the_time(running) as answers:
        running.compose.run("stop", service)
        time.sleep(CUT_S)
        running.compose.run("start", service)
        running.wait_for("every part's health", lambda: all_well(running), HEALED_WITHIN_S)
    assert len(answers.statuses) > CUT_S
    assert set(answers.statuses) == {200}
