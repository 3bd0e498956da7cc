"""What an audit lets pass, where it keeps its pages, and whom it alerts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from contracts.settings import Settings
from contracts.shared_settings import DriftSettings


class AuditSettings(DriftSettings):
    """Settings with the prefix `AUDIT_`; read once at the edge and passed down.

    Attributes:
        folder: Where results and Data Docs lie.
        results_kept: How many results the Data Docs keep, the newest; they get slow past 1,000.
        has_docs: Whether pages are written at all.
        quarantine_share: Greatest share of a landing's rows that may be in quarantine, else it is held back.
        expected_rows: Rows of a whole response; a landing may also have as many as is usual in its group.
        volume_factor_warning: A landing this many times larger or smaller is a warning; 0 for never.
        volume_factor_error: A landing this many times larger or smaller is held back; 0 for never.
        freshness_s: A newest landing older than this is a warning, in seconds.
        clock_skew_s: A newest landing this far in the future is a warning, in seconds.
        drift_psi_error: Greatest index before the landing is held back; 0 for any.
        drift_ks_warning: Greatest Kolmogorov-Smirnov distance before a warning; 0 for any.
        share_shift: Greatest change of a cover type's or area's share in new rows before a warning.
        class_share: Greatest share of rows that one cover type may have.
    """

    model_config = SettingsConfigDict(env_prefix="AUDIT_")

    folder: Path = Path(".canopy/audits")
    results_kept: int = Field(default=200, ge=5)
    has_docs: bool = True
    quarantine_share: float = Field(default=0.1, ge=0, le=1)
    expected_rows: int = Field(default=5_810, ge=1)
    volume_factor_warning: float = Field(default=2.0, ge=0)
    volume_factor_error: float = Field(default=10.0, ge=0)
    freshness_s: float = Field(default=86_400.0, gt=0)
    clock_skew_s: float = Field(default=300.0, ge=0)
    drift_psi_error: float = Field(default=0.0, ge=0)
    drift_ks_warning: float = Field(default=0.2, ge=0)
    share_shift: float = Field(default=0.2, ge=0, le=1)
    class_share: float = Field(default=0.9, ge=0, le=1)


class AlertSettings(Settings):
    """Settings with the prefix `ALERT_`; the log is told in any case.

    Attributes:
        urls: Where else alerts go, separated by spaces, as Apprise spells it: `mailto://…`, `json://…`.
        timeout_s: How long all of them together may take, in seconds.
    """

    model_config = SettingsConfigDict(env_prefix="ALERT_")

    urls: SecretStr | None = None
    timeout_s: float = Field(default=15.0, gt=0)
