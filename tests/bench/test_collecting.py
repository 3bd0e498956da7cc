"""The measurement of the collecting policy measures what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.collecting import compare
from source.simulator.synthetic import generate

pytestmark = pytest.mark.longest


def test_asking_until_the_rows_are_covered_brings_more_of_them(tmp_path: Path) -> None:
    lines = compare(generate(20_000, seed=4), "group", seeds=1, trees=10, folder=tmp_path)
    once, covered = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert (once[0], once[2], once[3]) == ("by group", "10", "2,000")
    assert 30 <= int(covered[2]) <= 45
    # A slice has 2,000 rows: ten responses of a tenth show 65 % of it, and the policy stops at 95 %.
    assert 1_250 <= int(once[4].replace(",", "")) <= 1_350
    assert 1_880 <= int(covered[4].replace(",", "")) <= 2_000
    assert all(0 < float(score) < 1 for line in (once, covered) for score in line[5:7])
