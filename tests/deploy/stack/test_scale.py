"""Celery workers in the place of the scheduler's own processes, with the profile `scale`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.containers.compose import Compose
from tests.deploy.stack.holdings import (
    HEALED_WITHIN_S,
    all_well,
    check_identities,
    heal,
    landings,
    publications,
    wait_for_publication,
    wait_for_work,
)
from tests.deploy.stack.running import Running

pytestmark = pytest.mark.long

WORKERS = 2


@pytest.fixture(scope="module")
def workers(running: Running) -> Iterator[list[str]]:
    """The ids of two workers of the same stack."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CANOPY_EXECUTOR", "CeleryExecutor")
        scaled = Compose(running.settings, profiles=["simulator", "scale"])
    scaled.run("up", "--detach", "--wait", "--scale", f"airflow-worker={WORKERS}")
    yield running.container("airflow-worker").split()
    running.compose.run("rm", "--force", "--stop", "airflow-worker", "redis", profiles=("*",))
    running.compose.up(lambda _: None)


def ran_on(running: Running) -> set[str]:
    """Where the tasks ran of the refine that ended last."""
    query = (
        "select distinct hostname from task_instance where hostname <> '' and run_id = (select run_id from "
        "dag_run where dag_id = 'refine' and state = 'success' order by end_date desc limit 1)"
    )
    return set(running.airflow_sql(query))


def test_workers_land_refine_and_publish(running: Running, workers: list[str]) -> None:
    running.wait_for("a model", running.ready, HEALED_WITHIN_S)
    known = landings(running)
    wait_for_publication(running, publications(running) + 1)  # one may have been under way
    hosts = ran_on(running)
    assert hosts
    assert hosts <= {worker[:12] for worker in workers}
    check_identities(running, known)


@pytest.mark.parametrize("service", ["airflow-worker", "redis"])
def test_a_part_is_killed_while_workers_work(running: Running, workers: list[str], service: str) -> None:
    wait_for_work(running)
    before, known = publications(running), landings(running)
    running.kill(service)
    heal(running, before)
    check_identities(running, known)


def test_the_queue_refuses_who_has_no_password(running: Running, workers: list[str]) -> None:
    assert all_well(running)
    said = running.compose.run("exec", "-T", "redis", "redis-cli", "-h", "redis", "ping", profiles=("*",))
    assert "NOAUTH" in said
