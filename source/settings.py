"""Which service is asked, for which group and how patiently; and how the simulator plays it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import SettingsInvalid


class SourceSettings(BaseSettings):
    """Settings of the client, with the prefix `SOURCE_`.

    Attributes:
        url: Where the service answers, without a path.
        group: The group that is asked for; the service hands each group its own slice.
        name: What the source is called in the lake's keys.
        timeout_s: Longest wait for a connection, and for each piece of a response.
        attempts: Requests per poll at most, the first included.
        first_wait_s: Wait before the second request; it doubles each time, and is jittered.
        longest_wait_s: Longest wait between two requests.
        budget_s: No request of a poll starts later than this, and none lasts longer. Well below the
            service's window of 300 s, so that a poll ends before the next one begins.
    """

    model_config = SettingsConfigDict(env_prefix="SOURCE_", env_file=".env", extra="ignore", frozen=True)

    url: str = "http://127.0.0.1:8010"
    group: int = 1
    name: str = Field(default="covertype", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    timeout_s: float = Field(default=30.0, gt=0)
    attempts: int = Field(default=4, ge=1)
    first_wait_s: float = Field(default=1.0, ge=0)
    longest_wait_s: float = Field(default=20.0, ge=0)
    budget_s: float = Field(default=120.0, gt=0)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsInvalid("SOURCE_URL", url, "It is an address such as http://127.0.0.1:8010.")
        return url.rstrip("/")


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
