"""How the simulator plays the service: which version, which form, which faults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from contracts.errors import SettingsInvalid
from contracts.settings import Port
from contracts.shared_settings import HostsSettings
from source.simulator.drift import Drift
from source.simulator.forms import Form

PREFIX = "SIMULATOR_"


class SimulatorSettings(HostsSettings):
    """Settings of the simulator, with the prefix `SIMULATOR_`; another program than the client.

    Faults are off by default, and meet answers of `/data` only (docs/simulator.md).

    Attributes:
        host: Address that it listens on.
        port: Port that it listens on.
        rows: File of rows (docs/files.md: of which formats); without one the rows are synthetic.
        synthetic_rows: How many rows are drawn where there is no file.
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

    model_config = SettingsConfigDict(env_prefix=PREFIX)

    host: str = "127.0.0.1"
    port: Port = 8010
    rows: Path | None = None
    synthetic_rows: int = Field(default=116_203, ge=100, le=100_000_000)
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
    seed: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _has_one_worker_where_it_is_seeded(self) -> Self:
        if self.workers > 1 and self.seed is not None:
            remedy = "Which worker answers is chance: leave SIMULATOR_SEED out, or have one worker."
            raise SettingsInvalid("SIMULATOR_WORKERS", self.workers, remedy)
        return self
