"""The suites: what must hold of new landings and of gold, with the contract's bounds."""

from __future__ import annotations

from typing import Any

from great_expectations import ExpectationSuite, expectations

from contracts.covertype import Column, Contract
from expectations.settings import AuditSettings

gxe: Any = expectations  # its types name none of them

LANDINGS, GOLD_ROWS, GOLD_TOTALS = "landings", "gold_rows", "gold_totals"


def landings_suite(settings: AuditSettings) -> ExpectationSuite:
    """Of the landings that are not published yet: volume, freshness, quarantine, nothing missing."""
    required = ["landing_id", "source", "group_number", "fetched_at"]
    return ExpectationSuite(
        name=LANDINGS,
        expectations=[
            gxe.ExpectTableRowCountToBeBetween(min_value=1),
            *[gxe.ExpectColumnValuesToNotBeNull(column=name) for name in required],
            gxe.ExpectColumnValuesToBeUnique(column="landing_id"),
            gxe.ExpectColumnValuesToBeBetween(column="landed_rows", min_value=settings.minimum_landed_rows),
            gxe.ExpectColumnValuesToBeBetween(
                column="quarantine_share", min_value=0, max_value=settings.quarantine_share
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="volume_ratio",
                min_value=1 / settings.volume_ratio,
                max_value=settings.volume_ratio,
                severity="warning",
            ),
            gxe.ExpectColumnMinToBeBetween(
                column="age_s", max_value=settings.freshness_s, severity="warning"
            ),
        ],
    )


def gold_rows_suite(contract: Contract) -> ExpectationSuite:
    """Of each new row of gold.training_set: bounds and enumerations, nothing missing."""
    items = [item for column in contract.columns for item in _column(column)]
    items.append(gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["train", "test"]))
    return ExpectationSuite(name=GOLD_ROWS, expectations=items)


def gold_totals_suite(settings: AuditSettings, rows: int) -> ExpectationSuite:
    """Of gold as a whole, one row of figures: uniqueness, leakage, shares.

    Args:
        settings: The limits.
        rows: How many rows gold has: the shares of a handful of rows say nothing.
    """
    items: list[Any] = [_figure("repeated_row_ids", 0, 0), _figure("rows_leaking", 0, 0)]
    if rows >= settings.share_rows:
        items += [
            _figure("test_share", settings.test_share_low, settings.test_share_high),
            _figure("largest_class_share", None, settings.class_share),
            _figure("classes", settings.classes, None),
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


def _figure(name: str, low: float | None, high: float | None) -> Any:
    return gxe.ExpectColumnMaxToBeBetween(column=name, min_value=low, max_value=high)
