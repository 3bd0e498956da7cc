"""What an audit lets pass, and where it keeps its pages."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AuditSettings(BaseSettings):
    """Settings with the prefix `AUDIT_`; read once at the edge and passed down.

    Attributes:
        folder: Where results and Data Docs lie.
        results_kept: How many results the Data Docs keep, the newest; they get slow past 1,000.
        has_docs: Whether pages are written at all.
        rows: How many of the newest new rows of gold are looked at one by one.
        minimum_landed_rows: A landing with fewer rows is refused.
        quarantine_share: Greatest share of a landing's rows that may be in quarantine.
        freshness_s: A newest landing older than this is a warning, in seconds.
        volume_ratio: A landing this many times larger or smaller than the median is a warning.
        test_share_low: Least share of rows on the test side.
        test_share_high: Greatest share of rows on the test side.
        class_share: Greatest share of rows that one cover type may have.
        classes: Least number of cover types.
        share_rows: Below this many rows of gold, shares say nothing and are not looked at.
    """

    model_config = SettingsConfigDict(env_prefix="AUDIT_", env_file=".env", extra="ignore", frozen=True)

    folder: Path = Path(".canopy/audits")
    results_kept: int = Field(default=100, ge=2)
    has_docs: bool = True
    rows: int = Field(default=500_000, ge=1)
    minimum_landed_rows: int = 1
    quarantine_share: float = Field(default=0.1, ge=0, le=1)
    freshness_s: float = 86_400.0
    volume_ratio: float = Field(default=2.0, gt=1)
    test_share_low: float = 0.15
    test_share_high: float = 0.25
    class_share: float = 0.9
    classes: int = 2
    share_rows: int = 1_000
