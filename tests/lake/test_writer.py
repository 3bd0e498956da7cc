"""Whoever writes to a SQLite catalog waits for whoever does, dbt by hand and in Airflow included."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.settings import LakeSettings
from lake.writer import is_writer, one_writer
from tests.lake.landed import lake_in

DBT = """
import sys
from lake.dbt_writer import Plugin
plugin = Plugin("writer", {"catalog": sys.argv[1]})
print("asks", flush=True)
plugin.update_connection_config(None, {})
plugin.update_connection_config(None, {})
print("writes", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return lake_in(tmp_path)


@pytest.fixture
def dbt(lake: LakeSettings) -> Iterator[subprocess.Popen[str]]:
    """A process whose dbt is about to open the lake."""
    with subprocess.Popen(
        [sys.executable, "-c", DBT, lake.catalog], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def says(process: subprocess.Popen[str], within_s: float) -> str | None:
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], within_s)
    return process.stdout.readline().strip() if ready else None


def test_dbt_waits_for_the_writer_and_lets_go_when_its_process_ends(
    lake: LakeSettings, dbt: subprocess.Popen[str]
) -> None:
    with one_writer(lake):
        assert says(dbt, 60) == "asks"
        assert says(dbt, 0.5) is None
    assert says(dbt, 10) == "writes"
    assert not is_writer(lake)
    dbt.kill()
    with one_writer(lake), one_writer(lake):
        assert is_writer(lake)
    assert not is_writer(lake)


def test_dbt_does_not_wait_for_the_program_that_it_is_part_of(lake: LakeSettings) -> None:
    from lake.dbt_writer import Plugin

    with one_writer(lake):
        Plugin("writer", {"catalog": lake.catalog}).update_connection_config(None, {})  # type: ignore[arg-type]
        assert is_writer(lake)
    assert not is_writer(lake)
