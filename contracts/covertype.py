"""Typed reading of the data contract `covertype.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from open_data_contract_standard.model import (
    CustomProperty,
    EnumValue,
    OpenDataContractStandard,
    SchemaProperty,
)

from contracts.errors import ContractInvalid

CONTRACT_FILE = Path(__file__).with_name("covertype.yaml")


@dataclass(frozen=True)
class Choice:
    """One value of an enumerated column."""

    value: str
    label: str
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One column of the survey.

    Attributes:
        source_name: Name in the source API, such as `Elevation`.
        name: Name from silver to screen, with its unit, such as `elevation_m`.
        kind: `integer` or `string`.
        unit: `m`, `deg`, `index`, or None where the column has none.
        minimum: Lowest value that is possible, inclusive; None for strings.
        maximum: Highest value that is possible, inclusive; None for strings.
        choices: All allowed values of an enumerated column, else empty.
        description: One sentence for people.
        is_label: True for the one column that is predicted.
    """

    source_name: str
    name: str
    kind: Literal["integer", "string"]
    unit: str | None
    minimum: int | None
    maximum: int | None
    choices: tuple[Choice, ...]
    description: str
    is_label: bool

    @property
    def values(self) -> tuple[str, ...]:
        """Returns the allowed values as the source writes them; empty where the column is not enumerated."""
        return tuple(choice.value for choice in self.choices)


@dataclass(frozen=True)
class Contract:
    """The survey's columns in the order in which the source serves them."""

    version: str
    columns: tuple[Column, ...]

    @property
    def features(self) -> tuple[Column, ...]:
        """Returns the twelve columns that a prediction is made from, in order."""
        return tuple(column for column in self.columns if not column.is_label)

    @property
    def label(self) -> Column:
        """Returns the column that is predicted."""
        return next(column for column in self.columns if column.is_label)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Returns the cover types by name; the position is the label's value."""
        return tuple(choice.label for choice in self.label.choices)

    def column(self, name: str) -> Column:
        """Returns the column with this name, in either spelling.

        Raises: KeyError if the contract has no such column.
        """
        for column in self.columns:
            if name in (column.name, column.source_name):
                return column
        raise KeyError(name)


@lru_cache(maxsize=1)
def covertype() -> Contract:
    """Returns the contract, read once.

    Raises: ContractInvalid if `covertype.yaml` lacks something that the code relies on.
    """
    return read_contract(CONTRACT_FILE)


def read_contract(path: Path) -> Contract:
    """Reads a contract file of the Open Data Contract Standard, version 3.

    Raises: ContractInvalid, naming what is missing.
    """
    document = OpenDataContractStandard.from_file(str(path))
    if not document.schema_ or not document.schema_[0].properties:
        raise ContractInvalid(path, "no schema with properties")
    columns = tuple(_column(path, item) for item in document.schema_[0].properties)
    if sum(column.is_label for column in columns) != 1:
        raise ContractInvalid(path, "not exactly one property with the role label")
    return Contract(version=_required(path, document.version, "version"), columns=columns)


def _column(path: Path, item: SchemaProperty) -> Column:
    source_name = _required(path, item.name, "a property's name")
    options: dict[str, Any] = item.logicalTypeOptions or {}
    custom = _custom(item.customProperties)
    return Column(
        source_name=source_name,
        name=_required(path, item.physicalName, f"physicalName of {source_name}"),
        kind="integer" if item.logicalType == "integer" else "string",
        unit=custom.get("unit"),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        choices=tuple(_choice(value) for value in item.enum or []),
        description=_required(path, item.description, f"description of {source_name}"),
        is_label=custom.get("role") == "label",
    )


def _choice(value: EnumValue) -> Choice:
    return Choice(str(value.value), value.label or str(value.value), _custom(value.customProperties))


def _custom(properties: list[CustomProperty] | None) -> dict[str, str]:
    return {str(item.property): str(item.value) for item in properties or []}


def _required(path: Path, value: str | None, what: str) -> str:
    if value is None:
        raise ContractInvalid(path, f"{what} is missing")
    return value
