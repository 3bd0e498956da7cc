"""Analysts read in a loop while one publication follows another: every answer is one that was published.

`--publications` says how many; `make test-readers` does 100.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from lake.catalog.compact import compact
from lake.read.query import run_query
from lake.settings import LakeSettings
from tests.lake.landed import lake_in
from tests.lake.published import make_countable, publish_after
from tests.lake.readers import QUERY, STOP

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

CHANGES = (
    "insert into gold.numbers select {n} * 100_000 + number from range(3_000) rows(number)",
    "insert into gold.numbers select {n} * 100_000 + number from range(3_000) rows(number)",
    "delete from gold.numbers where number % 17 = {n} % 17",
    "update gold.numbers set number = number + 1 where number % 5 = {n} % 5",
    "create or replace table gold.numbers as from gold.numbers where number % 19 != {n} % 19",
)
TOTAL = "create or replace table gold.totals as select sum(number)::bigint as total from gold.numbers"


@pytest.fixture
def publications(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("publications"))


def test_every_answer_is_a_state_that_was_published(tmp_path: Path, publications: int) -> None:
    lake, drawn, states = lake_in(tmp_path), random.Random(1), list[list[object]]()
    make_countable(lake)
    first = "create table gold.numbers as select number::integer as number from range(50_000) rows(number)"
    publish_after(lake, first, TOTAL)
    states.append(_state(lake))
    readers, asked = {way: _reader(way, tmp_path) for way in ("sql", "file")}, []
    try:
        for n in range(1, publications):
            publish_after(lake, drawn.choice(CHANGES).format(n=n), TOTAL)
            states.append(_state(lake))
            if n % 5 == 0:
                compact(lake)
            if n % max(1, publications // 3) == 1:
                asked.append(_canopy_sql(lake, tmp_path))
    finally:
        (tmp_path / STOP).touch()
    answers = {way: _answers(reader) for way, reader in readers.items()}
    assert all(answer in states for answer in asked)
    for way, given in answers.items():
        seen = [states.index(answer) for answer, _ in groupby(given)]  # one that is no state has no index
        assert seen == sorted(seen), f"{way} went back"
        assert len(seen) > publications // 4, f"{way} saw {len(seen)} of {publications} publications"


def _state(lake: LakeSettings) -> list[object]:
    return list(run_query(QUERY, lake=lake).rows[0])


def _reader(way: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.lake.readers", way, str(folder)]
    output = (folder / f"{way}.jsonl").open("w")
    with output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True)


def _answers(reader: subprocess.Popen[str]) -> list[list[object]]:
    """All that a reader was told; it must have met no error."""
    _, errors = reader.communicate(timeout=60)
    assert (reader.returncode, errors) == (0, "")
    way, folder = reader.args[-2:]
    return [json.loads(line) for line in Path(folder, f"{way}.jsonl").read_text().splitlines()]


def _canopy_sql(lake: LakeSettings, folder: Path) -> list[object]:
    environment = os.environ | {
        "LAKE_URI": lake.uri,
        "LAKE_CATALOG": lake.catalog,
        "CANOPY_HOME": str(folder / "home"),
    }
    command = [sys.executable, "-m", "canopy", "sql", QUERY, "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return list(json.loads(ended.stdout)[0].values())
