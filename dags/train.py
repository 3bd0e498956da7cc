"""When gold is published: learn from it, if there is a reason to; a person may have the last word."""

import os
from datetime import datetime, timedelta

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Asset, Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from canopy.monitor.failed_run import tell_of_failed_run
from canopy.stack.compose_role import act_as
from training.settings import TrainingSettings

GOLD, MODEL = Asset("canopy://gold"), Asset("canopy://model")
PROMOTE, REFUSE = "Promote", "Refuse"


@dag(
    schedule=[GOLD],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"force": Param(False, type="boolean", description="Train whatever has been learned already.")},
    default_args={"retries": 1, "retry_delay": timedelta(seconds=20)},
    doc_md=__doc__,
    on_failure_callback=tell_of_failed_run,
    tags=["model"],
)
def train():
    """One training a run. With `TRAINING_APPROVAL` a person promotes or refuses what has passed the gate."""

    @task(outlets=[MODEL])
    def learn() -> str:
        """By hand: `canopy train`."""
        os.nice(10)  # what is being published, and whoever asks for a prediction, comes first
        from training.train import train as train_model

        act_as("training")
        trained = train_model(force=get_current_context()["params"]["force"])
        if not trained.is_new and trained.decision != "awaiting":
            raise AirflowSkipException(trained.reason)
        return f"version {trained.version}: {trained.reason}"

    @task
    def waiting() -> int:
        """The version that waits for a person."""
        from training.promote import awaiting

        act_as("training")
        version = awaiting(TrainingSettings())
        if version is None:
            raise AirflowSkipException("no version waits for a person")
        return version

    @task(retries=3)
    def answer(version: int, chosen: dict) -> None:
        """By hand: `canopy promote VERSION`, or `canopy refuse VERSION`."""
        from contracts.errors import NotAwaiting
        from training.promote import answer as answer_for

        act_as("training")
        is_approved, person = PROMOTE in chosen["chosen_options"], chosen.get("responded_by_user") or {}
        name = person.get("name", "nobody, in time") if isinstance(person, dict) else str(person)
        try:
            answer_for(TrainingSettings(), version, is_approved=is_approved, person=name)
        except NotAwaiting as decided:  # by hand, while Airflow was still asking
            raise AirflowSkipException(str(decided)) from decided

    learned = learn()
    if TrainingSettings().approval:
        version = waiting()
        asked = HITLOperator(
            task_id="approve",
            subject="Shall version {{ ti.xcom_pull(task_ids='waiting') }} answer?",
            body="{{ ti.xcom_pull(task_ids='learn') }}\n\n`canopy models VERSION` shows the gate's record.",
            options=[PROMOTE, REFUSE],
            defaults=[REFUSE],
            response_timeout=timedelta(days=7),
        )
        learned >> version >> asked
        answer(version, asked.output)


train()
