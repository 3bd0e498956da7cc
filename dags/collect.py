"""Every five minutes: ask the source until what is in reach is in bronze, at a polite pace."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import Asset, dag, task
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from canopy.monitor.failed_run import tell_of_failed_run
from canopy.settings import StackSettings
from canopy.stack.compose_role import act_as

BRONZE = Asset("canopy://bronze")


@dag(
    schedule=timedelta(seconds=StackSettings().collect_every_s),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(seconds=5)},
    doc_md=__doc__,
    on_failure_callback=tell_of_failed_run,
    tags=["bronze"],
)
def collect():
    """One window of the source a run."""

    @task(outlets=[BRONZE])
    def land(dag_run=None) -> list[str]:
        """By hand: `canopy collect`."""
        from canopy.monitor.watched import watch_monitor  # imported when it runs, not at each parse
        from source.collect import collect_step, to_refine

        watch_monitor()
        act_as("ingest")
        step = collect_step(dag_run.start_date)
        if step.wait_s is not None:  # the wait is the scheduler's: no worker is held
            raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=step.wait_s))
        landed = to_refine(dag_run.start_date)
        if not landed:
            step.raise_failure()
            raise AirflowSkipException(" ".join(step.reasons))
        return landed

    land()


collect()
