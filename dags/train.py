"""When gold is published: learn from it, if there is enough new to learn from."""

import os
from datetime import datetime, timedelta

from airflow.sdk import Asset, Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

GOLD, MODEL = Asset("canopy://gold"), Asset("canopy://model")


@dag(
    schedule=[GOLD],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"force": Param(False, type="boolean", description="Train whatever has been learned already.")},
    default_args={"retries": 1, "retry_delay": timedelta(seconds=20)},
    doc_md=__doc__,
    tags=["model"],
)
def train():
    """One training a run."""

    @task(outlets=[MODEL])
    def learn() -> str:
        """By hand: `canopy train`."""
        os.nice(10)  # what is being published, and whoever asks for a prediction, comes first
        from training.train import train as train_model

        trained = train_model(force=get_current_context()["params"]["force"])
        if not trained.is_new:
            raise AirflowSkipException(trained.reason)
        return f"version {trained.version}: {trained.reason}"

    learn()


train()
