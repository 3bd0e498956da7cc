"""What Airflow calls when a run has failed: somebody is told at once, of each DAG at most once an hour."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.outside import shown
from contracts.stack_settings import StackSettings
from expectations.alerts import Alert, send
from expectations.settings import AlertSettings

logger = logging.getLogger(__name__)

# A source that is unavailable for a night fails a run every five minutes: the monitor tells when it is over.
AGAIN_AFTER_S = 3600.0


def tell_of_failed_run(context: Mapping[str, Any]) -> None:
    """Tells which run failed, in which task, and where its log is.

    Args:
        context: As Airflow hands it to a DAG's `on_failure_callback`.
    """
    dag, run_id = str(context["dag"].dag_id), str(context["run_id"])
    logger.error(
        "run_failed dag=%s run=%s reason=%s", shown(dag), shown(run_id), shown(context.get("reason"))
    )
    if not _is_news(StackSettings().folder / "monitor" / "failed-runs", dag):
        return
    title = f"Canopy: a run of {shown(dag)} failed"
    send(Alert(title, _lines(context, dag, run_id), is_failure=True), AlertSettings())


def _lines(context: Mapping[str, Any], dag: str, run_id: str) -> list[str]:
    task = context.get("ti")
    is_at_fault = task is not None and getattr(task, "state", None) == "failed"
    address, logs = (
        os.environ.get(f"AIRFLOW__{name}", "") for name in ("API__BASE_URL", "LOGGING__BASE_LOG_FOLDER")
    )
    lines = [f"Run {run_id}: {context.get('reason') or 'it failed'}."]
    lines += [f"Task: {task.task_id}."] if task is not None and is_at_fault else []
    lines += [
        f"Page: {address}/dags/{dag}/runs/{run_id}",
        f"Logs: {Path(logs) / f'dag_id={dag}' / f'run_id={run_id}'}",
        "docs/incidents.md says what to do.",
    ]
    return [shown(line) for line in lines]


def _is_news(folder: Path, dag: str) -> bool:
    """Returns whether nobody was told of this DAG lately. Where that cannot be kept, it is told again."""
    mark = folder / "".join(letter for letter in dag if letter.isalnum() or letter in "-_")
    try:
        if 0 <= time.time() - mark.stat().st_mtime < AGAIN_AFTER_S:
            return False
    except OSError:
        pass
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        logger.warning("failed_run_not_noted dag=%s reason=%s", shown(dag), type(error).__name__)
    return True
