"""Daily: write the dbt docs site anew, merge small files, let go of old snapshots."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

# Without the zero, a stack first started between three and half past five would run it at once.
AT_THREE = CronTriggerTimetable("0 3 * * *", timezone="UTC", run_immediately=timedelta(0))


@dag(
    schedule=AT_THREE,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    default_args={"retries": 1, "retry_delay": timedelta(seconds=20)},
    tags=["house"],
)
def maintain():
    """One round a day."""

    @task
    def write_docs() -> str:
        """By hand: `canopy lake docs`."""
        from canopy.refine import build_docs

        return str(build_docs())

    @task
    def compact() -> int:
        """By hand: `canopy lake compact`."""
        from lake.compact import compact as compact_lake
        from lake.settings import LakeSettings
        from training.registry import Registry
        from training.settings import TrainingSettings

        return compact_lake(LakeSettings(), Registry(TrainingSettings()).cited_snapshots()).deleted

    write_docs() >> compact()


maintain()
