"""When gold is published: learn from it, if there is a reason to; a person may have the last word."""

from airflow.sdk import Param, dag

from dags.approval import ask_a_person
from dags.steps import COMMON, GOLD, MODEL, step
from training.settings import TrainingSettings

FORCE = Param(False, type="boolean", description="Train whatever has been learned already.")


@dag(
    schedule=[GOLD],
    params={"force": FORCE},
    doc_md=__doc__,
    tags=["model"],
    **COMMON,
)
def train() -> None:
    """Trains once a run. With `TRAINING_APPROVAL` a person promotes or refuses what has passed the gate."""
    learn = step(
        "learn",
        "pipeline.learn:learn_step",
        by_hand="canopy train",
        given=lambda context: {"force": context["params"]["force"]},
        outlets=[MODEL],
    )
    learned = learn()
    if TrainingSettings().approval:
        ask_a_person(learned)


train()
