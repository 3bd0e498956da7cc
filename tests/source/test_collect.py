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
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from contracts.errors import MachineRefused, ResponseBroken, SourceError, SourceUnavailable, StoreUnavailable
from contracts.put_away import QUARANTINE, REASON
from lake.bronze.events import newest_event
from lake.bronze.landings import Provenance, keep_raw, read_raw, unfinished
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from source.collect import Collected, collect, collect_step, to_refine
from source.incoming import Incoming
from source.outcomes import ContractBroken, EndOfData, Landed
from source.settings import SourceSettings
from source.simulator.server import serving
from source.simulator.settings import SimulatorSettings
from tests.source import test_response
from tests.source.conftest import BrokenService, Reply, impatient
from tests.source.test_response import body

Start = Callable[..., BrokenService]
ROW, OTHER = list(test_response.ROW), list(test_response.OTHER)
END = Reply(400, '{"detail": "Ya se recolectó toda la información minima necesaria"}'.encode())
NAMES = [column.source_name for column in covertype().columns]

# The one line that matters comes first: the poll is killed when its response is safe and its rows are not.
KILLED_POLL = """
import os, signal, source.collect, source.poll
source.poll.land_rows = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
source.collect.collect()
"""


@pytest.fixture
def objects(lake: LakeSettings) -> Objects:
    return open_objects(lake)


def test_a_poll_lands_every_row_as_the_source_wrote_it(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    response = body([ROW, [*OTHER[:2], "", *OTHER[3:]]])
    collected = collect([impatient(broken_service(Reply(body=response)).url)], lake)
    (landing,) = collected.landings
    assert [type(outcome) for outcome in collected.outcomes] == [Landed]
    assert (landing.group, landing.batch, landing.rows) == (1, 3, 2)
    landed = _landed(objects, landing.key).select(NAMES).to_pylist()
    assert [list(row.values()) for row in landed] == [ROW, [*OTHER[:2], "", *OTHER[3:]]]
    assert read_raw(objects, landing.raw_key)[0] == response


def test_a_poll_logs_one_line_a_landing(
    simulator: str, lake: LakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "source"):
        (landing,) = collect([impatient(simulator)], lake).landings
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("source")]
    assert lines == [f"batch_landed key={landing.key} group=1 batch=1 rows={landing.rows}"]


def test_ten_polls_land_ten_batches_and_the_eleventh_is_the_end(
    simulator: str, lake: LakeSettings, rows: pa.Table
) -> None:
    polls = [collect([impatient(simulator)], lake) for _ in range(11)]
    landings = [landing for poll in polls for landing in poll.landings]
    assert [landing.batch for landing in landings] == list(range(1, 11))
    assert {landing.rows for landing in landings} == {rows.num_rows // 100}
    assert [type(outcome) for outcome in polls[-1].outcomes] == [EndOfData]
    assert polls[-1].landings == []
    polls[-1].raise_failure()


def test_two_responses_of_one_batch_are_both_landed(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    service = broken_service(Reply(body=body([ROW])), Reply(body=body([OTHER])))
    for _ in range(2):
        collect([impatient(service.url)], lake)
    assert len(objects.keys("bronze/rows")) == 2


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"<html>Bad gateway</html>", "it is not JSON"),
        (body()[:100], "cut short"),
        (json.dumps([ROW]).encode(), "bare list"),
        (body([dict(zip(NAMES, ROW, strict=True))]), "SOURCE_ADAPTER=objects"),
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
    collected = collect([impatient(broken_service(Reply(body=response)).url)], lake)
    (broken,) = collected.outcomes
    assert isinstance(broken, ContractBroken)
    assert words in broken.difference
    (raw_key,) = objects.keys("bronze/raw")
    assert raw_key == broken.raw_key
    assert read_raw(objects, raw_key)[0] == response
    assert objects.keys("bronze/rows") == []
    assert _refusals(objects) == [(raw_key, broken.difference)]
    with pytest.raises(ResponseBroken, match="No row was landed"):
        collected.raise_failure()


def test_a_refused_response_does_not_stand_in_the_way_of_the_next(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    service = broken_service(Reply(body=b"odd"), Reply(body=body()))
    collect([impatient(service.url)], lake)
    assert len(collect([impatient(service.url)], lake).landings) == 1
    assert unfinished(objects) == []


def test_what_came_of_a_cut_response_is_kept_and_the_whole_one_lands(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    service = broken_service(Reply(body=body()[:50], missing=99), Reply(503), Reply(body=body()))
    (landing,) = collect([impatient(service.url)], lake).landings
    assert landing.rows == 2
    ((fragment_key, difference),) = _refusals(objects)
    assert read_raw(objects, fragment_key)[0] == body()[:50]
    assert "cut short" in difference


def test_a_response_that_is_always_cut_is_kept_each_time_and_the_poll_is_unavailable(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    service = broken_service(Reply(body=body()[:50], missing=99))
    collected = collect([impatient(service.url, attempts=2)], lake)
    with pytest.raises(SourceUnavailable, match="after 50 bytes"):
        collected.raise_failure()
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
    collected = collect([impatient(service.url)], lake)
    assert [type(outcome) for outcome in collected.outcomes] == [EndOfData]
    assert [landing.rows for landing in collected.landings] == [2]
    assert collect([impatient(service.url)], lake).landings == []


def test_a_broken_response_left_by_a_crash_is_refused_without_failing_the_next_poll(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    raw = keep_raw(objects, b"odd", _provenance())
    collected = collect([impatient(broken_service(Reply(body=body())).url)], lake)
    assert len(collected.landings) == 1
    assert [key for key, _ in _refusals(objects)] == [raw.key]


def test_a_response_left_by_a_crash_is_read_for_the_group_it_was_asked_for(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    keep_raw(objects, body(group_number=7), _provenance(group=7))
    collected = collect([impatient(broken_service(Reply(body=body())).url)], lake)
    assert [landing.group for landing in collected.landings] == [7, 1]


def test_a_damaged_object_is_reported_and_keeps_no_batch_out(
    broken_service: Start, lake: LakeSettings, objects: Objects, caplog: pytest.LogCaptureFixture
) -> None:
    raw = keep_raw(objects, body(), _provenance())
    objects.put(raw.key, b"no frame")
    assert len(collect([impatient(broken_service(Reply(body=body())).url)], lake).landings) == 1
    assert f"set_aside key={raw.key}" in caplog.text


def _landed(objects: Objects, key: str) -> pa.Table:
    return pq.read_table(io.BytesIO(objects.read(key)))


def _refusals(objects: Objects) -> list[tuple[str, str]]:
    records = [json.loads(objects.read(key)) for key in objects.keys("bronze/refused")]
    return [(record["raw_key"], record["difference"]) for record in records]


def _provenance(group: int = 1) -> Provenance:
    return Provenance("covertype", group, datetime(2026, 1, 1, tzinfo=UTC), "r", "http://x", "canopy/0")


def test_nothing_is_asked_that_could_not_be_kept(broken_service: Start, lake: LakeSettings) -> None:
    service = broken_service(Reply(body=body()))
    open_objects(lake).put("file", b"no folder")
    with pytest.raises(StoreUnavailable):
        collect([impatient(service.url)], LakeSettings(uri=f"{lake.uri}/file"))
    with pytest.raises(MachineRefused, match="SOURCE_INCOMING"):
        collect([impatient(service.url, incoming=f"{lake.uri}/file/incoming")], lake)
    assert service.asked == []


def test_a_file_in_the_place_of_incoming_costs_itself_alone(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    settings = impatient(broken_service(Reply(body=body())).url)
    settings.incoming.write_bytes(b"mine")
    assert [landing.rows for landing in collect([settings], lake).landings] == [2]
    (kept,) = (path for path in (settings.incoming / QUARANTINE).iterdir() if REASON not in path.name)
    assert kept.read_bytes() == b"mine"
    (noted,) = objects.keys(f"{QUARANTINE}/incoming")
    assert noted.endswith(f"{kept.name}{REASON}")


def test_a_response_that_a_killed_collector_had_on_disk_is_landed_by_the_next(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    settings = impatient(broken_service(END).url)
    _leave(settings, body(), len(body()))
    collected = collect([settings], lake)
    assert [landing.rows for landing in collected.landings] == [2]
    assert [landing.rows for landing in collect([settings], lake).landings] == []
    assert list(settings.incoming.iterdir()) == []
    assert unfinished(objects) == []


def test_the_beginning_of_a_response_that_a_killed_collector_had_is_kept_and_refused(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    settings = impatient(broken_service(END).url)
    _leave(settings, body()[:60], len(body()))
    assert collect([settings], lake).landings == []
    ((raw_key, difference),) = _refusals(objects)
    assert read_raw(objects, raw_key)[0] == body()[:60]
    assert f"{len(body()) - 60} bytes before its end" in difference


def test_a_group_is_asked_until_its_rows_are_covered_and_then_once_a_window(
    tmp_path: Path, rows: pa.Table, lake: LakeSettings
) -> None:
    polls = _windows(tmp_path, rows, lake, slicing="group", windows=3)
    first, *later = [[landing.batch for landing in poll.landings] for poll in polls]
    # 1 - 0.9^n passes 95 % with the 29th response; the estimate may be a few responses off.
    assert 20 <= len(first) <= 40
    assert set(first) == {1}
    assert later == [[2], [3]]
    assert "rows in reach are here" in polls[0].reasons[0]


@pytest.mark.long
def test_a_deployment_that_slices_by_batch_is_asked_in_every_window(
    tmp_path: Path, rows: pa.Table, lake: LakeSettings
) -> None:
    polls = _windows(tmp_path, rows, lake, slicing="batch", windows=3)
    for batch, poll in enumerate(polls, start=1):
        assert {landing.batch for landing in poll.landings} == {batch}
        assert 20 <= len(poll.landings) <= 40


def test_the_budget_of_a_window_is_never_passed(tmp_path: Path, rows: pa.Table, lake: LakeSettings) -> None:
    polls = _windows(tmp_path, rows, lake, slicing="group", windows=2, requests_per_window=4)
    assert [len(poll.landings) for poll in polls] == [4, 4]
    assert "budget of 4 requests" in polls[0].reasons[0]


def test_every_group_has_its_own_slice_and_its_own_end(simulator: str, lake: LakeSettings) -> None:
    settings = impatient(simulator, groups="1,2", recheck_s=3600.0)
    polls = [collect([settings], lake) for _ in range(11)]
    assert [[landing.group for landing in poll.landings] for poll in polls] == [[1, 2]] * 10 + [[]]
    assert [type(outcome) for outcome in polls[-1].outcomes] == [EndOfData, EndOfData]
    paused = collect([settings], lake)
    assert paused.outcomes == ()
    assert ["at its end" in reason for reason in paused.reasons] == [True, True]


def test_two_sources_lie_beside_each_other(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    first = impatient(broken_service(Reply(body=body([ROW]))).url)
    second = impatient(broken_service(Reply(body=body([OTHER]))).url, name="second")
    collected = collect([first, second], lake)
    assert [landing.key.split("/")[2] for landing in collected.landings] == ["covertype", "second"]


def test_a_group_that_fails_keeps_no_other_out_and_is_not_asked_again_in_the_run(
    broken_service: Start, lake: LakeSettings, objects: Objects
) -> None:
    down = broken_service(Reply(503))
    failing = impatient(down.url, attempts=2, name="failing")
    whole = impatient(broken_service(Reply(body=body())).url, name="whole")
    began = datetime.now(UTC)
    step = collect_step(began, [failing, whole], lake)
    assert [landing.rows for landing in step.landings] == [2]
    with pytest.raises(SourceUnavailable):
        step.raise_failure()
    again = collect_step(began, [failing, whole], lake)
    assert again.outcomes == ()
    with pytest.raises(SourceError, match="503"):
        again.raise_failure()
    assert len(down.asked) == 2
    event = newest_event(objects, "failing", 1)
    assert event is not None
    assert event.kind == "failure"


def test_a_step_says_how_long_to_wait_instead_of_waiting(simulator: str, lake: LakeSettings) -> None:
    settings = impatient(simulator, requests_per_window=2, pace_s=60.0, window_s=300.0)
    step = collect_step(datetime.now(UTC), [settings], lake)
    assert len(step.landings) == 1
    assert step.wait_s == pytest.approx(60, abs=5)


def test_a_run_leaves_its_own_landings_to_be_refined_or_what_was_never_announced(
    simulator: str, lake: LakeSettings, objects: Objects
) -> None:
    old = keep_raw(objects, body(), _provenance())
    began = datetime.now(UTC)
    collected = collect([impatient(simulator)], lake)
    assert collected.finished[0].raw_key == old.key
    assert to_refine(began, lake) == [collected.landings[-1].key]
    assert to_refine(datetime.now(UTC), lake) == [collected.finished[0].key]


def _leave(settings: SourceSettings, content: bytes, promised: int) -> None:
    """What a collector leaves that is killed while, or just after, a response comes in."""
    with Incoming(settings.incoming).receive(_provenance(), promised) as arrival:
        arrival.write(content)


def _windows(
    tmp_path: Path, rows: pa.Table, lake: LakeSettings, *, slicing: str, windows: int, **changes: object
) -> list[Collected]:
    """Runs in windows that pass at once."""
    clock = [datetime(2026, 11, 23, 12, tzinfo=UTC)]
    settings = SimulatorSettings.model_validate(
        {"window_s": 300.0, "seed": 5, "state": tmp_path / "state.json", "slicing": slicing}
    )
    polls = []
    with serving(settings, rows, clock=lambda: clock[0].timestamp()) as url:
        patient = impatient(url, **{"requests_per_window": 60, "window_s": 300.0, **changes})
        for _ in range(windows):
            polls.append(collect([patient], lake, clock=lambda: _tick(clock)))
            clock[0] += timedelta(seconds=301)
    return polls


def _tick(clock: list[datetime]) -> datetime:
    """A clock that goes on a little each time it is read: no two responses come at one moment."""
    clock[0] += timedelta(milliseconds=1)
    return clock[0]
