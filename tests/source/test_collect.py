"""A poll lands rows, or keeps what came and says what is wrong with it."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from contracts.errors import ResponseBroken, SourceUnavailable
from lake.landings import Provenance, keep_raw, read_raw, unfinished
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from source.collect import collect_once
from tests.source.conftest import BrokenService, Reply, impatient
from tests.source.test_response import OTHER, ROW, body

Start = Callable[..., BrokenService]
NAMES = [column.source_name for column in covertype().columns]

# The one line that matters comes first: the poll is killed when its response is safe and its rows are not.
KILLED_POLL = """
import os, signal, source.collect
source.collect.land_rows = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
source.collect.collect_once()
"""


@pytest.fixture
def objects(lake: LakeSettings) -> Objects:
    return open_objects(lake)


def test_a_poll_lands_every_row_as_the_source_wrote_it(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    response = body([ROW, [*OTHER[:2], "", *OTHER[3:]]])
    collected = collect_once(impatient(broken_service(Reply(body=response)).url), lake)
    (landing,) = collected.landings
    assert collected.outcome == "landed"
    assert (landing.group, landing.batch, landing.rows) == (1, 3, 2)
    landed = _landed(objects, landing.key).select(NAMES).to_pylist()
    assert [list(row.values()) for row in landed] == [ROW, [*OTHER[:2], "", *OTHER[3:]]]
    assert read_raw(objects, landing.raw_key)[0] == response


def test_a_poll_logs_one_line_a_landing(
    simulator: str, lake: LakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "source"):
        (landing,) = collect_once(impatient(simulator), lake).landings
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("source")]
    assert lines == [f"batch_landed key={landing.key} group=1 batch=1 rows={landing.rows}"]


def test_ten_polls_land_ten_batches_and_the_eleventh_is_the_end(
    simulator: str, lake: LakeSettings, rows: pa.Table
) -> None:
    polls = [collect_once(impatient(simulator), lake) for _ in range(11)]
    landings = [landing for poll in polls for landing in poll.landings]
    assert [landing.batch for landing in landings] == list(range(1, 11))
    assert {landing.rows for landing in landings} == {rows.num_rows // 100}
    assert (polls[-1].outcome, polls[-1].landings) == ("end_of_data", [])


def test_two_responses_of_one_batch_are_both_landed(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    service = broken_service(Reply(body=body([ROW])), Reply(body=body([OTHER])))
    for _ in range(2):
        collect_once(impatient(service.url), lake)
    assert len(objects.keys("bronze/rows")) == 2


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"<html>Bad gateway</html>", "it is not JSON"),
        (body()[:100], "cut short"),
        (json.dumps([ROW]).encode(), "bare list"),
        (body([dict(zip(NAMES, ROW, strict=True))]), "is an object"),
        (body([["0"] * 54 + ["7"]]), "one-hot form"),
        (body([ROW[:-1]]), "12 columns, not 13"),
        (body([[*ROW[:12], "7"]]), "1-7"),
        (body([[2596, *ROW[1:]]]), "Elevation is an integer"),
        (body([[*ROW[:10], "\ud800", *ROW[11:]]]), "not Unicode text"),
        (body(group_number=4), "group 1 was asked for"),
    ],
)
def test_a_response_that_does_not_fit_is_kept_refused_and_named(
    broken_service: Start, lake: LakeSettings, objects: Objects, response: bytes, words: str
) -> None:
    with pytest.raises(ResponseBroken, match="No row was landed") as broken:
        collect_once(impatient(broken_service(Reply(body=response)).url), lake)
    assert words in broken.value.difference
    (raw_key,) = objects.keys("bronze/raw")
    assert raw_key == broken.value.raw_key
    assert read_raw(objects, raw_key)[0] == response
    assert objects.keys("bronze/rows") == []
    assert _refusals(objects) == [(raw_key, broken.value.difference)]


def test_a_refused_response_does_not_stand_in_the_way_of_the_next(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    service = broken_service(Reply(body=b"odd"), Reply(body=body()))
    with pytest.raises(ResponseBroken):
        collect_once(impatient(service.url), lake)
    assert len(collect_once(impatient(service.url), lake).landings) == 1
    assert unfinished(objects) == []


def test_what_came_of_a_cut_response_is_kept_and_the_whole_one_lands(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    service = broken_service(Reply(body=body()[:50], missing=99), Reply(503), Reply(body=body()))
    (landing,) = collect_once(impatient(service.url), lake).landings
    assert landing.rows == 2
    ((fragment_key, difference),) = _refusals(objects)
    assert read_raw(objects, fragment_key)[0] == body()[:50]
    assert "cut short" in difference


def test_a_response_that_is_always_cut_is_kept_each_time_and_the_poll_is_unavailable(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    service = broken_service(Reply(body=body()[:50], missing=99))
    with pytest.raises(SourceUnavailable, match="after 50 bytes"):
        collect_once(impatient(service.url, attempts=2), lake)
    assert len(objects.keys("bronze/raw")) == len(_refusals(objects)) == 2
    assert unfinished(objects) == []


def test_a_poll_that_is_killed_after_its_response_came_is_finished_by_the_next(
    broken_service: Start, lake: LakeSettings, objects: Objects, tmp_path: Path
) -> None:
    end = '{"detail": "Ya se recolectó toda la información minima necesaria"}'.encode()
    service = broken_service(Reply(body=body()), Reply(400, end))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_POLL],
        env=os.environ | {"SOURCE_URL": service.url, "LAKE_URI": lake.uri},
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert objects.keys("bronze/rows") == []
    collected = collect_once(impatient(service.url), lake)
    assert collected.outcome == "end_of_data"
    assert [landing.rows for landing in collected.landings] == [2]
    assert collect_once(impatient(service.url), lake).landings == []


def test_a_broken_response_left_by_a_crash_is_refused_without_failing_the_next_poll(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    raw = keep_raw(objects, b"odd", _provenance())
    collected = collect_once(impatient(broken_service(Reply(body=body())).url), lake)
    assert len(collected.landings) == 1
    assert [key for key, _ in _refusals(objects)] == [raw.key]


def test_a_response_left_by_a_crash_is_read_for_the_group_it_was_asked_for(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    keep_raw(objects, body(group_number=7), _provenance(group=7))
    collected = collect_once(impatient(broken_service(Reply(body=body())).url), lake)
    assert [landing.group for landing in collected.landings] == [7, 1]


def test_a_damaged_object_is_reported_and_keeps_no_batch_out(
    broken_service: Start, lake: LakeSettings, objects: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    raw = keep_raw(objects, body(), _provenance())
    objects.put(raw.key, b"no frame")
    assert len(collect_once(impatient(broken_service(Reply(body=body())).url), lake).landings) == 1
    assert f"raw_damaged key={raw.key}" in caplog.text


def _landed(objects: Objects, key: str) -> pa.Table:
    return pq.read_table(io.BytesIO(objects.read(key)))


def _refusals(objects: Objects) -> list[tuple[str, str]]:
    records = [json.loads(objects.read(key)) for key in objects.keys("bronze/refused")]
    return [(record["raw_key"], record["difference"]) for record in records]


def _provenance(group: int = 1) -> Provenance:
    return Provenance("covertype", group, datetime(2026, 1, 1, tzinfo=UTC), "r", "http://x", "canopy/0")
