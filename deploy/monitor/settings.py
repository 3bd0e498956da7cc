"""How often the monitor looks, where, and what it lets pass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from contracts.settings import Address
from contracts.shared_settings import ServicesSettings


class MonitorSettings(ServicesSettings):
    """Settings with the prefix `MONITOR_`; read once at the edge and passed down.

    Attributes:
        folder: Where it remembers what it has told.
        every_s: Seconds between two checks.
        lake_every_s: Seconds between two checks of the lake's tables, each in a process of its own.
        parts: Where each part's health is asked, as JSON by name: a page, `page#part` where it tells of
            several, or `tcp://host:port`; those of the local stack if not given.
        store_metrics_url: Where the object store tells of its room, as MinIO does; none if not given.
        stale_windows: A group is stale that nothing has landed of for so many windows of the source.
        stale_s: No group is stale before this, in seconds.
        publish_within_s: A landing that waits longer than this for its publication is late, in seconds.
        live_landings: So many landings in a row below what the champion has promised are an alert.
        clock_skew_s: A landing, or the clock, may be ahead or jump by so much, in seconds.
        spool_bytes: Predictions that wait for the lake may take so much.
        disk_free_bytes: A disk with less room than this is an alert.
        disks: Further folders whose disks are looked at, with commas between.
        backups: The folder that backups are written into, one a folder; nobody asks for them if not given.
        backup_age_s: The newest of them may be so old, in seconds.
        remember_s: How long something that has only happened, such as a restart, counts as wrong.
        messages_per_hour: Messages at most; what comes meanwhile is told with the next.
    """

    model_config = SettingsConfigDict(env_prefix="MONITOR_")

    folder: Path = Path(".canopy/monitor")
    every_s: float = Field(default=30.0, gt=0)
    lake_every_s: float = Field(default=120.0, gt=0)
    parts: dict[str, str] = Field(default={})
    store_metrics_url: Address | None = None
    stale_windows: float = Field(default=3.0, gt=0, le=10_000)
    stale_s: float = Field(default=600.0, ge=0)
    publish_within_s: float = Field(default=1800.0, gt=0)
    live_landings: int = Field(default=3, ge=1)
    clock_skew_s: float = Field(default=60.0, ge=0)
    spool_bytes: int = Field(default=67_108_864, ge=1)
    disk_free_bytes: int = Field(default=2_000_000_000, ge=0)
    disks: Annotated[tuple[Path, ...], NoDecode] = ()
    backups: Path | None = None
    backup_age_s: float = Field(default=691_200.0, gt=0)
    remember_s: float = Field(default=900.0, gt=0)
    messages_per_hour: int = Field(default=12, ge=1)

    @field_validator("disks", mode="before")
    @classmethod
    def _are_folders(cls, given: object) -> object:
        return (
            tuple(part.strip() for part in given.split(",") if part.strip())
            if isinstance(given, str)
            else given
        )
