"""Every five minutes: ask the source until what is in reach is in bronze, at a polite pace."""

from datetime import timedelta

from airflow.sdk import dag

from contracts.stack_settings import StackSettings
from dags.steps import BRONZE, COMMON, SOON, step

EVERY = timedelta(seconds=StackSettings().collect_every_s)


@dag(schedule=EVERY, doc_md=__doc__, tags=["bronze"], **COMMON)
def collect() -> None:
    """Collects one window of the source a run."""
    land = step(
        "land",
        "pipeline.collect:collect_step",
        by_hand="canopy collect",
        given=lambda context: {"began_at": context["dag_run"].start_date},
        outlets=[BRONZE],
        **SOON,
    )
    land()


collect()
