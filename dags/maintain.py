"""Daily: write the dbt docs site anew from what is published."""

from datetime import datetime

from airflow.sdk import dag, task


@dag(
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["house"],
)
def maintain():
    """One round a day."""

    @task
    def write_docs() -> str:
        """By hand: `canopy lake docs`."""
        from canopy.refine import build_docs
        from canopy.settings import StackSettings

        return str(build_docs(target=StackSettings().folder / "site"))

    write_docs()


maintain()
