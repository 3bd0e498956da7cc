"""How the simulator plays the service: which version, which form, which faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import SettingsInvalid
from source.simulator.drift import Drift
from source.simulator.forms import Form

PREFIX = "SIMULATOR_"


class SimulatorSettings(BaseSettings):
    """Settings of the simulator, with the prefix `SIMULATOR_`; another program than the client.

    Faults are off by default, and meet answers of `/data` only (docs/simulator.md).

    Attributes:
        host: Address that it listens on.
        port: Port that it listens on.
        rows: File of rows (csv, csv.gz or parquet); without one the rows are synthetic.
        synthetic_rows: How many rows are drawn where there is no file.
        synthetic_seed: The same seed draws the same rows.
        window_s: A batch number lasts at least this long; the service's own window is 300 s.
        version: Which edition of the service is played.
        slicing: By `group`, as the service does it, or by `batch`, as some deployments have it.
        form: What a row looks like: `coded` (13 columns, labels 0-6), `one_hot` (UCI's 55 columns),
            `labels_from_one` (1-7), `objects` (the service with the `day` parameter), `bare_objects` (the
            same, and the answer is a bare list).
        drift: Rows are ordered by `area` or by `elevation` before they are sliced.
        dirt_share: Share of the rows that are dirty, the same ones each time.
        latency_s: Every answer waits this long.
        timeout_share: Share of the answers that wait for `timeout_s`.
        timeout_s: How long they wait; longer than the client does.
        error_share: Share of the requests that get a 500 in the service's stead; no counter advances.
        cut_share: Share of the answers that end before their Content-Length does.
        slow_bytes_per_s: Bytes per second of a body; as fast as the network where unset.
        wrong_type_share: Share of the answers that say they are HTML.
        workers: Processes that serve from one state file, each with counters of its own in memory.
        state: File with each group's clock and counter.
        journal: File that gets a line for each batch that is sent, before its body is.
        seed: Seed of the sampling and of the faults, for tests; without it each start draws differently.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8010, ge=1, le=65535)
    rows: Path | None = None
    synthetic_rows: int = Field(default=116_203, ge=100)
    synthetic_seed: int = Field(default=31, ge=0)
    window_s: float = Field(default=300.0, ge=0)
    version: Literal["2024", "2025", "2026"] = "2025"
    slicing: Literal["group", "batch"] = "group"
    form: Form = "coded"
    drift: Drift = "none"
    dirt_share: float = Field(default=0.0, ge=0, le=1)
    latency_s: float = Field(default=0.0, ge=0)
    timeout_share: float = Field(default=0.0, ge=0, le=1)
    timeout_s: float = Field(default=60.0, gt=0)
    error_share: float = Field(default=0.0, ge=0, le=1)
    cut_share: float = Field(default=0.0, ge=0, le=1)
    slow_bytes_per_s: int | None = Field(default=None, ge=1)
    wrong_type_share: float = Field(default=0.0, ge=0, le=1)
    workers: int = Field(default=1, ge=1, le=16)
    state: Path = Path(".canopy/simulator/timestamps.json")
    journal: Path | None = None
    seed: int | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _says_what_cannot_work(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            settings = handler(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + "_".join(map(str, first["loc"])).upper()
            remedy = f"{first['msg'].replace('Input should', 'It is to')}; .env.example says what it does."
            raise SettingsInvalid(name, first["input"], remedy) from error
        if settings.workers > 1 and settings.seed is not None:
            remedy = "Which worker answers is chance: leave SIMULATOR_SEED out, or have one worker."
            raise SettingsInvalid("SIMULATOR_WORKERS", settings.workers, remedy)
        return settings
