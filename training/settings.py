"""What training needs to know from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from contracts.mlflow_settings import MlflowSettings


class TrainingSettings(MlflowSettings):
    """Settings with the prefix `TRAINING_`; read once at the edge and passed down.

    Attributes:
        experiment: Experiment under which the runs appear.
        candidate: What learns: extra_trees, random_forest, histogram_boosting or lightgbm. None takes what
            the newest search has found, else extra_trees.
        parameters: What it is set to, as JSON; what is not named keeps the search's value, or its default.
        seed: Of all that is random.
        bootstrap_draws: Resamples behind each interval.
        leak_meter: Whether the figure of a random split is taken too; it costs a second training.
        n_jobs: Threads that learn; the result does not depend on it.
        minimum_growth: Share of new distinct rows, against those of the newest version, below which there
            is no run.
        drift_psi: Median population stability index of a feature, over the landings since the newest version,
            from which on there is a run; 0 for never.
        live_rows: Least number of rows that the champion must have answered before its live accuracy counts.
        tolerance: How far macro-F1 of a challenger that learned from more rows may lie below the champion's.
        recall_tolerance: How far a class's recall may lie below the champion's, where that is beyond chance.
        recall_tolerances: The same for single classes, as JSON by name.
        area_tolerance: How far macro-F1 within a wilderness area may lie below the champion's, likewise.
        maximum_megabytes: What a model may weigh.
        maximum_latency_ms: What one row may take, at the median.
        approval: Whether a person must agree before a better model answers.
        keep_versions: How many of the newest versions are kept, whatever became of them.
        keep_champions: How many of the newest that were promoted are kept, to go back to.
        keep_days: How long every version and run is kept, and how long what gold cites of one keeps it.
        gate_key: The Ed25519 key with which the gate signs what may answer, in base64; `canopy up` makes it.
        cache: Folder for the champion's artefact, so that a landing can be put to it at once.
        code_revision: Revision to record; None asks git.
        lock_file: The lock whose hash is recorded.
    """

    model_config = SettingsConfigDict(env_prefix="TRAINING_")

    experiment: str = "canopy"
    candidate: str | None = None
    parameters: dict[str, int | float | str | None] = Field(default={})
    seed: int = Field(default=20261122, ge=0, le=2**32 - 1)
    bootstrap_draws: int = Field(default=1000, ge=100, le=1_000_000)
    leak_meter: bool = True
    n_jobs: int = Field(default=2, ge=-1, le=1024)
    minimum_growth: float = Field(default=0.2, ge=0)
    drift_psi: float = Field(default=0.25, ge=0)
    live_rows: int = Field(default=1000, ge=1)
    tolerance: float = Field(default=0.01, ge=0)
    recall_tolerance: float = Field(default=0.05, ge=0)
    recall_tolerances: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default={})
    area_tolerance: float = Field(default=0.03, ge=0)
    maximum_megabytes: float = Field(default=100.0, gt=0)
    maximum_latency_ms: float = Field(default=10.0, gt=0)
    approval: bool = False
    keep_versions: int = Field(default=30, ge=1)
    keep_champions: int = Field(default=10, ge=1)
    keep_days: float = Field(default=90.0, ge=0)
    gate_key: SecretStr | None = None
    cache: Path = Path(".canopy/training")
    code_revision: str | None = None
    lock_file: Path = Path(__file__).resolve().parents[1] / "requirements" / "runtime.txt"
