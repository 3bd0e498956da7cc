"""When bronze grows: look at it, ask the champion, build silver and gold with dbt, audit them, publish."""

from airflow.sdk import dag

from dags.dbt_build import dbt_build
from dags.steps import BRONZE, COMMON, GOLD, ONCE, WHATEVER, step


@dag(schedule=[BRONZE], doc_md=__doc__, tags=["silver", "gold"], **COMMON)
def refine() -> None:
    """Refines; by hand: `canopy refine`, which does these steps.

    Failed builds are not cleared but left to the next run, or triggered anew.
    """
    look = step("look", "pipeline.refine:sweep_step", by_hand="canopy refine", **ONCE)
    ask = step("ask", "pipeline.refine:ask_step", by_hand="canopy refine", **WHATEVER)
    audit = step("audit", "pipeline.refine:audit_step", by_hand="canopy lake audit", **ONCE)
    publish = step(
        "publish",
        "pipeline.refine:publish_step",
        by_hand="canopy lake publish",
        given=lambda context: {"asked": context["ti"].xcom_pull(task_ids="ask")},
        outlets=[GOLD],
    )
    look() >> (asked := ask())
    dbt_build(after=asked, before=(audited := audit()))
    publish(audited)


refine()
