"""What runs models tells nobody what it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "room",
    [
        "serving.engine.inference",
        "serving.engine.preparing",
        "training.fit.artefact",
        "training.fit.features",
    ],
)
def test_onnx_runtime_opens_no_session_with_its_maker(room: str, tmp_path: Path) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment["TMPDIR"] = str(tmp_path)  # where the number of a session would be
    done = subprocess.run(
        [sys.executable, "-c", f"import {room}, onnxruntime, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "1\n"
    assert list(tmp_path.iterdir()) == []
