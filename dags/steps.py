"""How a step of `pipeline` is a task of Airflow, and what all DAGs have in common."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from airflow.sdk import Asset, TriggerRule, task
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from pipeline.failed_run import tell_of_failed_run
from pipeline.outcomes import Later, Nothing

BRONZE, GOLD, MODEL = (Asset(f"canopy://{name}") for name in ("bronze", "gold", "model"))
COMMON: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1),
    "catchup": False,
    "max_active_runs": 1,
    "on_failure_callback": tell_of_failed_run,
    "default_args": {"retries": 1, "retry_delay": timedelta(seconds=20)},
}
# The window of a source may close meanwhile.
SOON: dict[str, Any] = {"retry_delay": timedelta(seconds=5)}
# A person has said a word, and will not say it again.
OFTEN: dict[str, Any] = {"retries": 3}
# What is found is there again when it is looked for again: whoever is alerted is alerted once.
ONCE: dict[str, Any] = {"retries": 0}
# For what the others go on without.
WHATEVER: dict[str, Any] = ONCE | {"trigger_rule": TriggerRule.ALL_DONE}
Given = Callable[[Mapping[str, Any]], Mapping[str, Any]]


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
