"""A person's word before a model answers: which version waits, the question, what is done by it."""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator

from dags.steps import OFTEN, step


def ask_a_person(learned: Any) -> None:
    """Adds the three tasks behind the one that has trained."""
    waiting = step("waiting", "pipeline.learn:waiting_step", by_hand="canopy models")
    answer = step("answer", "pipeline.learn:answer_step", by_hand="canopy promote", **OFTEN)
    asked = HITLOperator(
        task_id="approve",
        subject="Shall version {{ ti.xcom_pull(task_ids='waiting') }} answer?",
        body="{{ ti.xcom_pull(task_ids='learn') }}\n\n`canopy models VERSION` shows the gate's record.",
        options=["Promote", "Refuse"],
        defaults=["Refuse"],
        response_timeout=timedelta(days=7),
    )
    learned >> (version := waiting()) >> asked
    answer(version, asked.output)
