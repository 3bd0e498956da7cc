"""Celery's workers, which the stack's profile `scale` starts, come as far as their stores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.serving.registry import free_port


def test_a_worker_starts_and_asks_for_its_database(tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://{nobody}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://canopy@{nobody}/airflow",
    }
    command = [str(Path(sys.executable).parent / "airflow"), "celery", "worker", "--skip-serve-logs"]
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )
    assert "Connection refused" in ended.stderr
    assert "ImportError" not in ended.stderr
    assert "ModuleNotFoundError" not in ended.stderr
