"""Every five minutes: one poll of the source, into bronze."""

from datetime import datetime, timedelta

from airflow.sdk import Asset, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from canopy.settings import StackSettings

BRONZE = Asset("canopy://bronze")


@dag(
    schedule=timedelta(seconds=StackSettings().collect_every_s),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=20)},
    doc_md=__doc__,
    tags=["bronze"],
)
def collect():
    """One poll a run."""

    @task(outlets=[BRONZE])
    def land() -> list[str]:
        """By hand: `canopy collect`."""
        from source.collect import collect_once  # imported when it runs, not at each parse

        collected = collect_once()
        if not collected.landings:
            raise AirflowSkipException(f"nothing landed: {collected.outcome}")
        return [landing.key for landing in collected.landings]

    land()


collect()
