"""When bronze grows: build silver and gold with dbt, audit what was built, then publish it."""

from datetime import datetime
from pathlib import Path

from airflow.sdk import Asset, dag, task
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

from canopy.refine import DBT_PROJECT, MANIFEST

BRONZE, GOLD = Asset("canopy://bronze"), Asset("canopy://gold")


@dag(
    schedule=[BRONZE],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["silver", "gold"],
)
def refine():
    """By hand: `canopy refine`, which does all three."""
    build = DbtTaskGroup(
        group_id="build",
        project_config=ProjectConfig(manifest_path=MANIFEST, project_name="canopy", install_dbt_deps=False),
        profile_config=ProfileConfig(
            profile_name="canopy",
            target_name="lake",
            profiles_yml_filepath=Path(DBT_PROJECT) / "profiles.yml",
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            invocation_mode=InvocationMode.DBT_RUNNER,
            dbt_project_path=DBT_PROJECT,
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.NONE,  # the producer's dbt build runs them
            emit_datasets=False,
            dbt_deps=False,
        ),
    )

    @task
    def audit() -> int:
        """By hand: `canopy lake audit`."""
        from expectations.audit import audit as audit_lake

        return audit_lake().snapshot_id

    @task(outlets=[GOLD])
    def publish(snapshot_id: int) -> int:
        """By hand: `canopy lake publish SNAPSHOT`."""
        from lake.published import publish as publish_snapshot
        from lake.settings import LakeSettings

        return publish_snapshot(LakeSettings(), snapshot_id, "passed").publication_id

    audited = audit()
    build >> audited
    publish(audited)


refine()
