"""Daily: write the dbt docs site, merge small files and segments, let go of old snapshots, models, runs."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag

from dags.steps import COMMON, step

# Without the zero, a stack first started between three and half past five would run it at once.
AT_THREE = CronTriggerTimetable("0 3 * * *", timezone="UTC", run_immediately=timedelta(0))


@dag(schedule=AT_THREE, doc_md=__doc__, tags=["maintenance"], **COMMON)
def maintain() -> None:
    """Does one round a day."""
    docs = step("write_docs", "pipeline.maintain:docs_step", by_hand="canopy lake docs")
    compact = step("compact", "pipeline.maintain:compact_step", by_hand="canopy lake compact")
    catalog = step("keep_catalog", "pipeline.maintain:catalog_step", by_hand="canopy maintain catalog")
    docs() >> compact() >> catalog()
    step("merge_predictions", "pipeline.maintain:predictions_step", by_hand="canopy lake compact")()
    step("retain_models", "pipeline.maintain:models_step", by_hand="canopy maintain models")()
    step("clean_airflow", "pipeline.maintain:airflow_step", by_hand="canopy maintain airflow")()


maintain()
