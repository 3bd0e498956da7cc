"""Whoever writes to a SQLite catalog waits for whoever does, dbt by hand and in Airflow included."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

import pytest

from contracts.errors import LakeBusy
from lake.catalog import writer
from lake.catalog.writer import is_writer, one_writer
from lake.settings import LakeSettings
from pipeline.dbt import build
from tests.lake.landed import lake_in, land, survey_rows

DBT = """
import sys
from lake.dbt.writer import Plugin
plugin = Plugin("writer", {"catalog": sys.argv[1]})
print("asks", flush=True)
plugin.update_connection_config(None, {})
plugin.update_connection_config(None, {})
print("writes", flush=True)
sys.stdin.read()
"""

# A window in which somebody has changed a cell, and has not written it yet.
BROWSER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("begin immediate")
print("changes", flush=True)
sys.stdin.read()
connection.rollback()
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
    from lake.dbt.writer import Plugin

    with one_writer(lake):
        Plugin("writer", {"catalog": lake.catalog}).update_connection_config(None, {})  # type: ignore[arg-type]
        assert is_writer(lake)
    assert not is_writer(lake)


@pytest.fixture
def browser(lake: LakeSettings) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a database browser in the middle of a change; it goes on when something is said."""
    with ExitStack() as opened:

        def start() -> subprocess.Popen[str]:
            command = [sys.executable, "-c", BROWSER, lake.catalog_target]
            process = opened.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            opened.callback(process.kill)
            assert says(process, 60) == "changes"
            return process

        yield start


def test_a_database_browser_that_holds_the_catalog_is_named(
    lake: LakeSettings, browser: Callable[[], subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "OTHERS_TIMEOUT_S", 0.2)
    opened = browser()
    with pytest.raises(LakeBusy, match=r"catalog\.sqlite .* close the database browser"), one_writer(lake):
        pass
    assert not is_writer(lake)
    opened.communicate("")
    with one_writer(lake):
        assert is_writer(lake)


def test_one_that_comes_to_an_end_is_waited_for(
    lake: LakeSettings, browser: Callable[[], subprocess.Popen[str]]
) -> None:
    opened = browser()
    Timer(0.5, opened.communicate, [""]).start()
    with one_writer(lake):
        assert opened.wait(0) == 0


@pytest.mark.long
def test_one_that_comes_in_the_middle_of_a_build_is_named(
    lake: LakeSettings, browser: Callable[[], subprocess.Popen[str]], survey: Path, tmp_path: Path
) -> None:
    build(lake, state=tmp_path / "dbt")
    land(lake, survey_rows(survey, 10), minute=1)
    with one_writer(lake):
        browser()
        with pytest.raises(LakeBusy, match="close the database browser"):
            build(lake, state=tmp_path / "dbt")
