"""Daily: write the dbt docs site, merge small files and segments, let go of old snapshots, models, runs."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from canopy.monitor.failed_run import tell_of_failed_run
from canopy.stack.compose_role import act_as

# Without the zero, a stack first started between three and half past five would run it at once.
AT_THREE = CronTriggerTimetable("0 3 * * *", timezone="UTC", run_immediately=timedelta(0))


@dag(
    schedule=AT_THREE,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    on_failure_callback=tell_of_failed_run,
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

    @task
    def keep_catalog() -> str:
        """By hand: `canopy maintain catalog`."""
        from lake.catalog_keep import keep_catalog
        from lake.settings import LakeSettings

        return str(keep_catalog(LakeSettings()))

    @task
    def retain_models() -> list[int]:
        """By hand: `canopy maintain models`."""
        from lake.settings import LakeSettings
        from training.retention import retain
        from training.settings import TrainingSettings

        act_as("training")
        return retain(TrainingSettings(), LakeSettings()).versions

    @task
    def clean_airflow() -> int:
        """By hand: `canopy maintain airflow`."""
        from canopy.airflow_clean import clean_airflow
        from canopy.settings import StackSettings

        return clean_airflow(StackSettings()).rows

    @task
    def merge_predictions() -> int:
        """By hand: `canopy lake compact`, which does both."""
        from lake.merging import merge_predictions as merge
        from lake.settings import LakeSettings

        return merge(LakeSettings()).segments

    write_docs() >> compact() >> keep_catalog()
    merge_predictions()
    retain_models()
    clean_airflow()


maintain()
