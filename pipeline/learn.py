"""Training and a person's word on it, as the DAG `train` has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from contracts.errors import NotAwaiting
from contracts.model_artefact import Decision
from pipeline.outcomes import Nothing
from pipeline.role import act_as
from training.promote.promotion import answer, awaiting
from training.settings import TrainingSettings
from training.train import train

PROMOTE = "Promote"


def learn_step(*, force: bool) -> str:
    """Trains if there is a reason to, or if it is forced. Raises: Nothing if there was none."""
    os.nice(10)  # what is being published, and whoever asks for a prediction, comes first
    act_as("training")
    trained = train(force=force)
    if not trained.is_new and trained.decision != Decision.AWAITING:
        raise Nothing(trained.reason)
    return f"version {trained.version}: {trained.reason}"


def waiting_step() -> int:
    """Returns the version that waits for a person. Raises: Nothing if none does."""
    act_as("training")
    version = awaiting(TrainingSettings())
    if version is None:
        raise Nothing("no version waits for a person")
    return version


def answer_step(version: int, chosen: Mapping[str, Any]) -> None:
    """Does what a person has said of a version.

    Args:
        version: Its number.
        chosen: What Airflow's task of the question gives: the options, and who has chosen them.

    Raises: Nothing if it was decided by hand meanwhile.
    """
    act_as("training")
    is_approved, person = PROMOTE in chosen["chosen_options"], chosen.get("responded_by_user") or {}
    name = person.get("name", "nobody, in time") if isinstance(person, dict) else str(person)
    try:
        answer(TrainingSettings(), version, is_approved=is_approved, person=name)
    except NotAwaiting as decided:
        raise Nothing(str(decided)) from decided
