"""The suites: what must hold of new landings and of gold, with the contract's bounds."""

from __future__ import annotations

from typing import Any

from great_expectations import ExpectationSuite, expectations

from contracts.covertype import Column, Contract
from expectations.frames import SHARE_ROWS
from expectations.settings import AuditSettings

gxe: Any = expectations  # its types name none of them

LANDINGS, DRIFT = "landings", "drift"
LEAST_ROWS = 1  # a landing without any is held back
TEST_SHARE, CLASSES = (0.15, 0.25), 2  # the share of rows on the test side; the least number of cover types
GOLD_ROWS, GOLD_SHARES, GOLD_TOTALS = "gold_rows", "gold_shares", "gold_totals"


def landings_suite(settings: AuditSettings) -> ExpectationSuite:
    """Returns what is expected of each new landing: volume, quarantine, nothing missing. One that fails is
    held back."""
    required = ["landing_id", "source", "group_number", "fetched_at"]
    return ExpectationSuite(
        name=LANDINGS,
        expectations=[
            *[gxe.ExpectColumnValuesToNotBeNull(column=name) for name in required],
            gxe.ExpectColumnValuesToBeUnique(column="landing_id"),
            gxe.ExpectColumnValuesToBeBetween(column="landed_rows", min_value=LEAST_ROWS),
            _at_most("quarantine_share", settings.quarantine_share),
            *_below("volume_factor", settings.volume_factor_warning, settings.volume_factor_error),
            _at_most("accepted_though_held", 0),
        ],
    )


def drift_suite(settings: AuditSettings) -> ExpectationSuite | None:
    """Returns how far each feature of each new landing may be from the reference; None if no limit is set."""
    items = [
        *_below("psi", settings.drift_psi_warning, settings.drift_psi_error),
        *_below("ks_distance", settings.drift_ks_warning, 0),
    ]
    return ExpectationSuite(name=DRIFT, expectations=items) if items else None


def gold_rows_suite(contract: Contract) -> ExpectationSuite:
    """Returns what is expected of each new row of gold.training_set: bounds and enumerations, nothing
    missing."""
    items = [item for column in contract.columns for item in _column(column)]
    items.append(gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["train", "test"]))
    return ExpectationSuite(name=GOLD_ROWS, expectations=items)


def gold_shares_suite(settings: AuditSettings) -> ExpectationSuite:
    """Returns what is expected of each cover type's and wilderness area's share, and of its move."""
    return ExpectationSuite(
        name=GOLD_SHARES,
        expectations=[
            _at_most("cover_type_share", settings.class_share),
            _at_most("shift", settings.share_shift, severity="warning"),
        ],
    )


def gold_totals_suite(settings: AuditSettings, rows: int) -> ExpectationSuite:
    """Returns what is expected of gold as a whole, one row of figures: freshness, uniqueness, leakage, the
    split.

    Args:
        settings: The limits.
        rows: How many rows gold has: the shares of a handful of rows say nothing.
    """
    items: list[Any] = [
        _figure("landings", 1, None),
        _figure("newest_landing_age_s", -settings.clock_skew_s, settings.freshness_s, severity="warning"),
        _figure("repeated_row_ids", 0, 0),
        _figure("rows_leaking", 0, 0),
    ]
    if rows >= SHARE_ROWS:
        items += [
            _figure("test_share", *TEST_SHARE),
            _figure("classes", CLASSES, None),
        ]
    return ExpectationSuite(name=GOLD_TOTALS, expectations=items)


def _column(column: Column) -> list[Any]:
    present = gxe.ExpectColumnValuesToNotBeNull(column=column.name)
    if column.kind == "string":
        return [present, gxe.ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.values))]
    bounds = gxe.ExpectColumnValuesToBeBetween(
        column=column.name, min_value=column.minimum, max_value=column.maximum
    )
    return [present, bounds]


def _below(name: str, warning: float, error: float) -> list[Any]:
    """Returns two limits of one column; 0 is none."""
    limits = (("warning", warning), ("critical", error))
    return [_at_most(name, limit, severity=severity) for severity, limit in limits if limit > 0]


def _at_most(name: str, limit: float, severity: str = "critical") -> Any:
    return gxe.ExpectColumnValuesToBeBetween(column=name, max_value=limit, severity=severity)


def _figure(name: str, low: float | None, high: float | None, severity: str = "critical") -> Any:
    return gxe.ExpectColumnMaxToBeBetween(column=name, min_value=low, max_value=high, severity=severity)
