"""dbt's build as a group of tasks, one a model, by Cosmos: one of them builds, the others show it."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import TriggerRule
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
from cosmos.operators.watcher import DbtProducerWatcherOperator

from contracts.stack_settings import StackSettings
from lake.dbt.environment import dbt_environment
from lake.settings import LakeSettings


def dbt_build(*, after: Any, before: Any) -> None:
    """Builds silver and gold after a task, however that ended, and before another, when all is built."""
    group = _group(dbt_environment(LakeSettings(), StackSettings().folder / "dbt"))
    for first in group.get_roots():
        first.trigger_rule = TriggerRule.ALL_DONE
        after >> first
    # The tasks of the models only show how each came out.
    (builder,) = [one for one in group.children.values() if isinstance(one, DbtProducerWatcherOperator)]
    builder >> before


def _group(dbt: dict[str, str]) -> DbtTaskGroup:
    return DbtTaskGroup(
        group_id="build",
        project_config=ProjectConfig(
            manifest_path=f"{dbt['DBT_TARGET_PATH']}/manifest.json",
            project_name="canopy",
            install_dbt_deps=False,
        ),
        profile_config=ProfileConfig(
            profile_name="canopy",
            target_name=dbt["LAKE_DBT_TARGET"],
            profiles_yml_filepath=f"{dbt['DBT_PROFILES_DIR']}/profiles.yml",
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            invocation_mode=InvocationMode.DBT_RUNNER,
            dbt_project_path=dbt["DBT_PROJECT_DIR"],
            # With its tasks for tests left out, Cosmos would leave the tests themselves out too.
            setup_operator_args={"dbt_cmd_flags": ["--resource-type", "test"], "pre_execute": _build_once},
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


def _build_once(context: Mapping[str, Any]) -> None:
    """Fails the task of dbt where it starts again because its worker was lost.

    Cosmos would skip it, and the run would end well without anything built, audited or published.
    """
    if context["ti"].try_number > 1:
        raise AirflowFailException(
            "The worker that built this was lost on the way. Nothing was published, nothing is half there: "
            "the next run builds what is missing. To start one now: `canopy refine`, or trigger this DAG."
        )
