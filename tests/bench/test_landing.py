"""The measurement of a landing measures what it says: two ways to the same rows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.landing import BARE, LANDING, ORDER, main, measure, response, table
from source.response import Batch, parse
from source.simulator.rows import read_rows


def test_both_sides_hold_the_same_rows_and_each_turn_is_counted(tmp_path: Path, survey: Path) -> None:
    body = response(read_rows(survey), 500)
    timings = measure(body, tmp_path, repetitions=3)
    assert timings.hold_same_rows()
    assert {name: len(seconds) for name, seconds in timings.seconds.items()} == dict.fromkeys(ORDER, 3)
    assert len(timings.ratios(LANDING)) == 3
    assert timings.ratios(BARE) == [1.0] * 3
    parsed = parse(body, 1)
    assert isinstance(parsed, Batch)
    assert len(parsed.rows) == 500


def test_the_table_has_a_line_for_each_measurement(tmp_path: Path, survey: Path) -> None:
    lines = table(measure(response(read_rows(survey), 20), tmp_path, repetitions=2)).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(ORDER)
    assert all(line.count("|") == 5 for line in lines)


def test_the_command_says_on_what_it_measured_and_leaves_nothing_behind(
    tmp_path: Path, survey: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["landing", "--rows", str(survey), "--repetitions", "2", "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    main()
    printed = capsys.readouterr().out
    assert f"5810 rows of {survey.name}" in printed
    assert "2 repetitions in turns" in printed
    assert list(tmp_path.iterdir()) == []
