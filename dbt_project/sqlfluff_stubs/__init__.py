"""What sqlfluff needs of the project's macros, enough to render a model; `.sqlfluff` names this folder."""

from __future__ import annotations

from typing import Any


class _Column(dict[str, Any]):
    """A column of the contract, as Jinja reads it: `column.name`, `column['values']`."""

    __getattr__ = dict.__getitem__


def contract_columns() -> list[_Column]:
    return [
        _Column(source_name="Elevation", name="elevation_m", kind="integer", minimum=0, maximum=9, values=[]),
        _Column(source_name="Soil_Type", name="soil_type", kind="string", values=["C2702"]),
    ]


def contract_choices(name: str) -> list[_Column]:
    return [_Column(value=1, label=name, properties=_Column(climatic_zone="alpine", geologic_zone="glacial"))]


def column_names(with_label: bool = True, prefix: str = "") -> list[str]:
    return [prefix + column.name for column in contract_columns()]


def content_hash(names: list[str], salt: str | None = None) -> str:
    return "md5('row')"


def percent_point(hash: str) -> str:
    return "1"


def typed(column: _Column) -> str:
    return str(column.source_name)


def reason(column: _Column, values: str) -> str:
    return f"{values}.{column.source_name}"


def bronze_files() -> str:
    return "bronze/**/*.parquet"


def known_landings() -> str:
    return "select * from landings"


def held_landings() -> str:
    return "select landing_id from landings"


def contract_version() -> str:
    return "1.0.0"


class _Pending:
    """A build that has something to take in, some of it begun before."""

    landings, low, high, is_retried, is_late = 1, "a", "b", True, True


def pending() -> _Pending:
    return _Pending()


def is_pending(column: str, state: _Pending | None = None) -> str:
    return f"{column} = 'a'"


def is_tested(column: str) -> str:
    return f"{column} = 'a'"


def is_row_tested() -> str:
    return "row_id = 'a'"


def is_in_pending_groups() -> str:
    return "group_number = 1"


def retried_landings() -> str:
    return "select landing_id from landings"


def is_increment() -> bool:
    return True


def point_bronze_at(relation: str) -> str:
    return ""


def numeric_names() -> list[str]:
    return [column.name for column in contract_columns() if column.kind == "integer"]


def point_bronze_at_refused(sightings: str) -> str:
    return ""


def published_to_compare_with() -> _Column:
    return _Column(rows="training_set", snapshot_id=1, observations=1)


def no_reference() -> str:
    return "select null as feature"


def choice_names() -> list[str]:
    return [column.name for column in contract_columns() if column.kind == "string"]


def summary_of(name: str, shares: list[float]) -> str:
    return f"max({name})"


def deviation_of(summary: str, readings: str) -> str:
    return f"{summary}.total"


def quoted(values: list[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def point_answers_at(relation: str) -> str:
    return ""


def wilson(found: str, rows: str, side: int) -> str:
    return f"{found} / {rows}"


def point_predictions_at_new() -> str:
    return ""


def is_to_sum_up(period: str, start: str, rows: str, is_counted: str = "true") -> str:
    return f"{is_counted} and predicted_at >= timestamptz '2026-11-22'"
