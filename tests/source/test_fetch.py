"""The full set is recoded from one-hot columns to the source's coding."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest

from contracts.covertype import covertype
from contracts.errors import RowsUnreadable, SourceUnavailable
from source.fetch import fetch_full_set, recode
from source.simulator.rows import read_rows


def one_hot(area: int, soil: int) -> list[float]:
    """The first row of UCI's file, with another area and soil."""
    chosen = [0.0] * 44
    chosen[area] = chosen[4 + soil] = 1.0
    return [2596.0, 51.0, 3.0, 258.0, -6.0, 510.0, 221.0, 232.0, 148.0, 6279.0, *chosen]


def test_a_row_of_the_original_becomes_the_sources_row() -> None:
    table = recode(np.array([one_hot(0, 28)]), np.array([5]))
    assert list(table.to_pylist()[0].values()) == [
        "2596", "51", "3", "258", "-6", "510", "221", "232", "148", "6279", "Rawah", "C7745", "4",
    ]  # fmt: skip


def test_areas_and_soils_are_in_the_originals_order() -> None:
    areas = recode(np.array([one_hot(area, 0) for area in range(4)]), np.arange(1, 5))
    assert areas["Wilderness_Area"].to_pylist() == ["Rawah", "Neota", "Commanche", "Cache"]
    soils = recode(np.array([one_hot(0, soil) for soil in range(40)]), np.ones(40, dtype=int))
    assert soils["Soil_Type"].to_pylist() == list(covertype().column("soil_type").values)
    assert soils["Soil_Type"].to_pylist() == sorted(soils["Soil_Type"].to_pylist())


def test_the_seven_labels_become_zero_to_six() -> None:
    table = recode(np.array([one_hot(0, 0)] * 7), np.arange(1, 8))
    assert table["Cover_Type"].to_pylist() == list("0123456")


@pytest.mark.parametrize(
    ("data", "target", "words"),
    [
        (np.array([one_hot(0, 0)[:53]]), np.array([1]), "its shapes are"),
        (np.array([one_hot(0, 0)]), np.array([1, 2]), "its shapes are"),
        (np.array([one_hot(0, 0)]), np.array([0]), "its labels go from 0 to 0"),
        (np.array([one_hot(0, 0)[:10] + [0.0] * 44]), np.array([1]), "not one-hot"),
        (np.array([one_hot(0, 0)[:10] + [1.0] * 44]), np.array([1]), "not one-hot"),
    ],
)
def test_what_is_not_the_original_is_refused(data: np.ndarray, target: np.ndarray, words: str) -> None:
    with pytest.raises(RowsUnreadable, match=words):
        recode(data, target)


def test_the_fetched_file_is_one_that_the_simulator_reads(tmp_path: Path) -> None:
    bunch = SimpleNamespace(data=np.array([one_hot(2, 9)] * 300), target=np.full(300, 2))
    file = tmp_path / "data" / "covertype.parquet"
    assert fetch_full_set(file, download=lambda: bunch) == 300
    assert read_rows(file).num_rows == 300
    assert [path.name for path in file.parent.iterdir()] == ["covertype.parquet"]


def test_without_a_network_nothing_is_written_and_the_error_says_so(tmp_path: Path) -> None:
    def download() -> None:
        raise URLError("no route to host")

    with pytest.raises(SourceUnavailable, match=r"no route to host.*needs a network"):
        fetch_full_set(tmp_path / "covertype.parquet", download=download)
    assert list(tmp_path.iterdir()) == []
