"""Rows that have no room in memory: each connection's lie apart, and go with it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from lake.catalog.connection import connect
from lake.catalog.spill import PREFIX, spill_folder
from lake.dbt.writer import Plugin
from lake.settings import LakeSettings
from tests.lake.published import fill_with_numbers

# Numbered in the order of all their texts: another answer where one row was taken for another.
SORTED = """
select sum(hash(text, place))::varchar from (
    select hash(range + {seed})::varchar as text, row_number() over (order by hash(range + {seed})) as place
    from range(2_500_000)
)
"""
PLACE = "select current_setting('temp_directory')"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    folder = tmp_path_factory.mktemp("spilled")
    settings = LakeSettings(
        uri=str(folder / "lake"), catalog=f"sqlite:{folder}/catalog.sqlite", memory_limit="64MB", threads=1
    )
    return fill_with_numbers(settings)


def beside(lake: LakeSettings) -> Path:
    return Path(lake.catalog_target).parent


def test_what_two_connections_spill_at_once_stays_apart(
    lake: LakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as roomy:
        wanted = [roomy.execute(SORTED.format(seed=seed)).fetchone() for seed in range(2)]
    both = threading.Barrier(2)

    def sort(seed: int) -> Any:
        with connect(lake) as connection:
            both.wait()
            return connection.execute(SORTED.format(seed=seed)).fetchone()

    spilled = set[str]()
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(sort, seed) for seed in range(2)]
        while not all(one.done() for one in found):
            spilled |= {folder.name for folder in beside(lake).glob(f"{PREFIX}*")}
    assert [one.result() for one in found] == wanted
    assert len(spilled) == 2
    assert list(beside(lake).glob(f"{PREFIX}*")) == list(tmp_path.iterdir()) == []


def test_no_two_connections_share_a_folder_and_none_is_made_before_it_is_needed(lake: LakeSettings) -> None:
    config: dict[str, Any] = {}
    plugin = Plugin("lake.dbt.writer", {"catalog": lake.catalog}, DuckDBCredentials(path=":memory:"))
    plugin.update_connection_config(DuckDBCredentials(path=":memory:"), config)
    found = [Path(config["temp_directory"])]
    for write in (False, False, True):
        with connect(lake, write=write) as connection:
            found += [Path(*row) for row in connection.execute(PLACE).fetchall()]
    assert len(set(found)) == 4
    assert {folder.parent for folder in found} == {beside(lake)}
    assert not any(folder.exists() for folder in found)


def test_a_catalog_that_is_no_file_has_them_with_the_temporary_files() -> None:
    settings = LakeSettings(uri="s3://lake", catalog="postgres:host=127.0.0.1 dbname=lake")
    assert Path(spill_folder(settings)).parent == Path(tempfile.gettempdir())


def test_what_killed_processes_have_left_goes_with_the_next_one_and_nothing_else(lake: LakeSettings) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    left = beside(lake) / f"{PREFIX}{killed.pid}-0123abcd"
    others = [beside(lake) / f"{PREFIX}{name}" for name in ("mine", f"{killed.pid}-copy", "1-0123abcd")]
    for folder in (left, *others):
        folder.mkdir()
        (folder / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"rows")
    program = (
        "import sys; from lake.settings import LakeSettings; from lake.catalog.connection import connect; "
        "connect(LakeSettings(uri=sys.argv[1], catalog=sys.argv[2])).close()"
    )
    subprocess.run([sys.executable, "-c", program, lake.uri, lake.catalog], check=True)
    assert not left.exists()
    assert [folder for folder in others if not any(folder.iterdir())] == []
