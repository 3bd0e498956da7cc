"""What a run must record so that it can be trained again with the same figures."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.fit.features import compute_features
from training.fit.rows import Rows
from training.settings import TrainingSettings

UNKNOWN = "unknown"


def code_revision(settings: TrainingSettings) -> str:
    """Returns the setting, else git's commit with `-dirty` where files differ from it, else `unknown`."""
    if settings.code_revision:
        return settings.code_revision
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    folder = Path(__file__).resolve().parents[2]
    try:
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return answer.stdout.strip() or UNKNOWN


def lock_hash(settings: TrainingSettings) -> str:
    """Returns the sha256 of the lock, or `unknown` where the code runs without it."""
    if not settings.lock_file.is_file():
        return UNKNOWN
    return hashlib.sha256(settings.lock_file.read_bytes()).hexdigest()


def digest_rows(rows: Rows) -> str:
    """Returns a digest of rows and their order: the first 32 hex digits of a sha256."""
    digest = hashlib.sha256(compute_features(rows.features).tobytes())
    digest.update(rows.labels.tobytes())
    return digest.hexdigest()[:32]


def digest_labels(labels: NDArray[np.int64]) -> str:
    """Returns a digest of answers and their order: the first 32 hex digits of a sha256."""
    return hashlib.sha256(labels.astype(np.int64).tobytes()).hexdigest()[:32]
