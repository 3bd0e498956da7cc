"""The contract says what the survey's definitions say."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.covertype import CONTRACT_FILE, covertype, read_contract
from contracts.errors import ContractInvalid
from contracts.prediction import example_row
from contracts.reading import RequestReader


def test_the_columns_are_the_sources_in_its_order() -> None:
    contract = covertype()
    assert len(contract.columns) == 13
    assert contract.columns[0].source_name == "Elevation"
    assert contract.columns[-1] is contract.label
    assert contract.label not in contract.features
    assert len(contract.column("soil_type").values) == 40
    assert contract.column("Wilderness_Area").values == ("Rawah", "Neota", "Commanche", "Cache")
    assert len(contract.class_names) == len(set(contract.class_names)) == 7


def test_every_number_has_bounds_and_a_unit_in_its_name_where_it_has_one() -> None:
    for column in covertype().features:
        if column.kind == "string":
            assert column.choices
            continue
        assert column.minimum is not None
        assert column.maximum is not None
        assert column.minimum < column.maximum
        assert column.unit == "index" or column.name.endswith(f"_{column.unit}")


def test_every_soil_code_carries_the_zones_that_its_digits_mean() -> None:
    by_digit: dict[str, set[str]] = {}
    for choice in covertype().column("soil_type").choices:
        by_digit.setdefault(choice.value[1], set()).add(choice.properties["climatic_zone"])
    assert all(len(zones) == 1 for zones in by_digit.values())


def test_the_example_is_inside_the_contract() -> None:
    row = example_row(covertype())
    assert RequestReader(covertype(), 1).read(row) == [row]


def test_a_contract_without_a_label_is_refused(tmp_path: Path) -> None:
    text = CONTRACT_FILE.read_text(encoding="utf-8")
    path = tmp_path / "contract.yaml"
    path.write_text(text.replace("value: label}", "value: feature}"), encoding="utf-8")
    with pytest.raises(ContractInvalid, match="not exactly one property with the role label"):
        read_contract(path)
