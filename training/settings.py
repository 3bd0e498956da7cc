"""What training needs to know from outside."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TrainingSettings(BaseSettings):
    """Settings with the prefix `TRAINING_`; read once at the edge and passed down.

    Attributes:
        mlflow_url: The MLflow server that keeps runs and models.
        experiment: Experiment under which the runs appear.
        model_name: Registered model that serving follows.
        trees: Trees of the forest. 100 are 36 MB as ONNX after 93,000 rows.
        min_samples_leaf: Rows that a leaf must keep; 1 grows each tree to the end.
        max_features: Columns that are tried at each split; None tries all of them.
        seed: Of the forest and of the bootstrap.
        bootstrap_draws: Resamples behind each interval.
        n_jobs: Threads that grow the forest; the result does not depend on it.
        minimum_train_rows: With fewer rows to learn from there is no run.
        minimum_test_rows: With fewer held-out rows there is no run.
        minimum_growth: Share of new distinct rows, against those of the newest version, below which there
            is no run.
        tolerance: How far macro-F1 of a challenger that learned from more rows may lie below the champion's.
        code_revision: Revision to record; None asks git.
        lock_file: The lock whose hash is recorded.
    """

    model_config = SettingsConfigDict(env_prefix="TRAINING_", env_file=".env", extra="ignore", frozen=True)

    mlflow_url: str = "http://127.0.0.1:5000"
    experiment: str = "canopy"
    model_name: str = "canopy-covertype"
    trees: int = Field(default=100, ge=1)
    min_samples_leaf: int = Field(default=1, ge=1)
    max_features: int | None = Field(default=10, ge=1)
    seed: int = 20261122
    bootstrap_draws: int = Field(default=1000, ge=100)
    n_jobs: int = 2
    minimum_train_rows: int = Field(default=200, ge=2)
    minimum_test_rows: int = Field(default=50, ge=1)
    minimum_growth: float = Field(default=0.2, ge=0)
    tolerance: float = Field(default=0.01, ge=0)
    code_revision: str | None = None
    lock_file: Path = Path(__file__).resolve().parents[1] / "requirements" / "runtime.txt"
