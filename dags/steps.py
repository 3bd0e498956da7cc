"""How a step of `pipeline` is a task of Airflow, and what all DAGs have in common."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from airflow.sdk import Asset, task
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from pipeline.failed_run import tell_of_failed_run
from pipeline.outcomes import Later, Nothing

BRONZE, GOLD, MODEL = (Asset(f"canopy://{name}") for name in ("bronze", "gold", "model"))
COMMON: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1),
    "catchup": False,
    "max_active_runs": 1,
    "on_failure_callback": tell_of_failed_run,
}
Given = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def retried(times: int = 1, after_s: float = 20) -> dict[str, Any]:
    """Returns how often the tasks of a DAG are tried again."""
    return {"retries": times, "retry_delay": timedelta(seconds=after_s)}


def step(name: str, calls: str, *, by_hand: str, given: Given = lambda _: {}, **options: Any) -> Any:
    """Makes a task of one call: skipped where the step has nothing to do, freed while it must wait.

    Args:
        name: The task's id.
        calls: What is called, such as `pipeline.refine:ask_step`; imported when it runs, not at each parse.
        by_hand: The command that does the same.
        given: What it is called with of the run's context.
        options: Airflow's.
    """

    @task(task_id=name, doc_md=f"By hand: `{by_hand}`.", **options)
    def run(*arguments: Any, **context: Any) -> Any:
        module, _, function = calls.partition(":")
        try:
            return getattr(import_module(module), function)(*arguments, **given(context))
        except Nothing as reason:
            raise AirflowSkipException(str(reason)) from reason
        except Later as later:  # the wait is the scheduler's: no worker is held
            again: Any = AirflowRescheduleException
            raise again(datetime.now(UTC) + timedelta(seconds=later.wait_s)) from later

    return run
