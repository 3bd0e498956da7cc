"""From where on a landing counts as drifted: the audit warns by it, and the pages draw it."""

from __future__ import annotations

from pydantic import Field

from contracts.settings import Settings


class DriftSettings(Settings):
    """The settings of the audit and of the UI have this one as well.

    Attributes:
        drift_psi_warning: Greatest population stability index of a feature before a warning; 0 for any.
    """

    drift_psi_warning: float = Field(default=0.2, ge=0, validation_alias="AUDIT_DRIFT_PSI_WARNING")
