"""How the simulator plays the service."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SimulatorSettings(BaseSettings):
    """Settings of the simulator, with the prefix `SIMULATOR_`; another program than the client.

    Attributes:
        host: Address that it listens on.
        port: Port that it listens on.
        rows: File of rows (csv, csv.gz or parquet); without one the rows are synthetic.
        synthetic_rows: How many rows are drawn where there is no file.
        synthetic_seed: The same seed draws the same rows.
        window_s: A batch number lasts at least this long; the service's own window is 300 s.
        version: Which edition of the service is played.
        slicing: By `group`, as the service does it, or by `batch`, as some deployments have it.
        state: File with each group's clock and counter.
        seed: Seed of the sampling, for tests; without it each start samples differently.
    """

    model_config = SettingsConfigDict(env_prefix="SIMULATOR_", env_file=".env", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8010, ge=1, le=65535)
    rows: Path | None = None
    synthetic_rows: int = Field(default=116_203, ge=100)
    synthetic_seed: int = Field(default=31, ge=0)
    window_s: float = Field(default=300.0, ge=0)
    version: Literal["2024", "2025", "2026"] = "2025"
    slicing: Literal["group", "batch"] = "group"
    state: Path = Path(".canopy/simulator/timestamps.json")
    seed: int | None = None
