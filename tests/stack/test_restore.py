"""A stack that is lost with all its volumes comes back out of its backup as it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from canopy.backup_stack import back_up, restore
from canopy.stack.environment import local
from tests.stack.running import CELL, Running

pytestmark = pytest.mark.long


def state(running: Running) -> dict[str, Any]:
    """What must be the same afterwards."""
    url = f"{local(running.settings.serving_port)}/v1/predictions"
    answer = httpx.post(url, json={"rows": [CELL]}, headers=running.predict_headers, timeout=30)
    return {
        "published": running.sql("select count(*) as rows, sum(elevation_m) as sum from gold.training_set"),
        "publications": running.catalog("select max(publication_id) from published.publications"),
        "answer": [answer.json()[part] for part in ("model", "predictions")],
        "runs": running.mysql("select count(*) from mlflow.runs"),
        "raw": running.keys("bronze/raw/"),
    }


def test_a_lost_stack_comes_back_out_of_its_backup(running: Running, tmp_path: Path) -> None:
    running.wait_for("a model", running.ready, 600)
    running.compose.run("stop", "source")  # from here on nothing new comes
    running.wait_for("an idle Airflow", lambda: is_idle(running), 300)
    before = state(running)
    back_up(running.settings, tmp_path / "backup", lambda _: None)
    running.compose.run("down", "--volumes", profiles=("*",))
    shutil.move(running.secrets, tmp_path / "lost")
    restore(running.settings, tmp_path / "backup", lambda _: None)
    running.compose.up(lambda _: None)
    running.wait_for("a model", running.ready, 300)
    after = state(running)
    assert set(before["raw"]) <= set(after["raw"])
    del before["raw"], after["raw"]
    assert after == before
    assert running.verify()["faults"] == []


def is_idle(running: Running) -> bool:
    """Whether what builds and trains has nothing to do."""
    return all(run.is_over for dag in ("refine", "train") for run in running.airflow.runs(dag))
