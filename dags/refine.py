"""When bronze grows: look at it, ask the champion, build silver and gold with dbt, audit them, publish."""

from datetime import datetime, timedelta

from airflow.sdk import Asset, TriggerRule, dag, task
from airflow.sdk.exceptions import AirflowFailException
from cosmos import (
    DbtTaskGroup,
    ExecutionConfig,
    ExecutionMode,
    InvocationMode,
    LoadMode,
    ProfileConfig,
    ProjectConfig,
    RenderConfig,
    TestBehavior,
)

from canopy.monitor.failed_run import tell_of_failed_run
from canopy.settings import StackSettings
from canopy.stack.compose_role import act_as
from lake.dbt_environment import dbt_environment
from lake.settings import LakeSettings

DBT = dbt_environment(LakeSettings(), StackSettings().folder / "dbt")
BRONZE, GOLD = Asset("canopy://bronze"), Asset("canopy://gold")


def build_once(context):
    """Fails the task of dbt where it starts again because its worker was lost.

    Cosmos would skip it, and the run would end well without anything built, audited or published.
    """
    if context["ti"].try_number > 1:
        raise AirflowFailException(
            "The worker that built this was lost on the way. Nothing was published, nothing is half there: "
            "the next run builds what is missing. To start one now: `canopy refine`, or trigger this DAG."
        )


@dag(
    schedule=[BRONZE],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(seconds=20)},
    doc_md=__doc__,
    on_failure_callback=tell_of_failed_run,
    tags=["silver", "gold"],
)
def refine():
    """By hand: `canopy refine`, which does all of it.

    Failed builds are not cleared but left to the next run, or triggered anew.
    """

    @task(retries=0)
    def look() -> list[str]:
        """By hand: `canopy refine` does it first. What cannot be read is set aside; the rest is built."""
        from lake.sound import sweep

        act_as("transform")
        return sweep(LakeSettings())

    # Without an answer there is no live score, and that is all.
    @task(retries=0, trigger_rule=TriggerRule.ALL_DONE)
    def ask() -> str:
        """By hand: `canopy refine` does it first."""
        from training.live import ask_champion

        act_as("training")
        asked = ask_champion()
        return asked.problem or f"{asked.rows} rows of {len(asked.landings)} landings"

    build = DbtTaskGroup(
        group_id="build",
        project_config=ProjectConfig(
            manifest_path=f"{DBT['DBT_TARGET_PATH']}/manifest.json",
            project_name="canopy",
            install_dbt_deps=False,
        ),
        profile_config=ProfileConfig(
            profile_name="canopy",
            target_name=DBT["LAKE_DBT_TARGET"],
            profiles_yml_filepath=f"{DBT['DBT_PROFILES_DIR']}/profiles.yml",
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            invocation_mode=InvocationMode.DBT_RUNNER,
            dbt_project_path=DBT["DBT_PROJECT_DIR"],
            # With its tasks for tests left out, Cosmos would leave the tests themselves out too.
            setup_operator_args={"dbt_cmd_flags": ["--resource-type", "test"], "pre_execute": build_once},
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.NONE,  # dbt build runs each test before what is built on its model
            emit_datasets=False,
            dbt_deps=False,
            exclude=["resource_type:unit_test", "config.materialized:ephemeral"],
        ),
        # A watcher that is deferred is now and then killed as it resumes, and its retry would build the
        # model a second time beside the first: here it waits in its own slot.
        # Tried again, Cosmos builds model by model and without tests: the next run builds what is missing.
        operator_args={"deferrable": False, "poke_interval": 1, "retries": 0},
    )

    @task(retries=0)  # what it finds is there again when it looks again: whoever is alerted is alerted once
    def audit() -> dict[str, int | str]:
        """By hand: `canopy lake audit`."""
        from expectations.audit import audit as audit_lake

        audited = audit_lake()
        return {"snapshot_id": audited.snapshot_id, "summary": audited.summary}

    @task(outlets=[GOLD])
    def publish(snapshot_id: int, summary: str) -> int:
        """By hand: `canopy lake publish SNAPSHOT`."""
        from lake.published import publish as publish_snapshot

        return publish_snapshot(LakeSettings(), snapshot_id, summary).publication_id

    asked = ask()
    look() >> asked
    for first in build.get_roots():
        first.trigger_rule = TriggerRule.ALL_DONE
        asked >> first
    audited = audit()
    # When dbt has built all of it; the tasks of the models only show how each came out.
    build.children["build.dbt_producer_watcher"] >> audited
    publish(audited["snapshot_id"], audited["summary"])


refine()
