"""The spool when the disk is full, when it holds too much, and when what lies in it is damaged."""

from __future__ import annotations

import errno
import multiprocessing
import random
import resource
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from contracts.errors import ServiceBusy
from contracts.prediction import example_row
from contracts.put_away import QUARANTINE, REASON
from lake.bronze.predictions import new_segment
from lake.settings import LakeSettings
from serving.http.metrics import Metrics
from serving.http.outside import Outside
from serving.log.prediction_log import PredictionLog, Reply
from serving.log.record import LOGGED, SHADOW, WRITTEN
from serving.log.spool import END, HEAD, SUFFIX, Spool, read_segment
from tests.attacks.mutations import mutations
from tests.attacks.state import compared
from tests.serving.services import settings_in

CONTRACT = covertype()
LIMIT_BYTES = 2**30
VALUES = {
    "request_id": "r",
    "position": 0,
    "predicted_at": datetime(2026, 1, 1, tzinfo=UTC),
    "model_name": "m",
    "model_version": 1,
    "model_snapshot_id": None,
    **example_row(CONTRACT),
    "predicted": 1,
    "probability": 1.0,
    "probabilities": [1.0],
    "flags": [],
    "latency_ms": 1.0,
    "key_id": "k",
    **dict.fromkeys(SHADOW),
}


def rows(count: int) -> pa.RecordBatch:
    """Some rows of the log."""
    table = pa.Table.from_pylist([VALUES] * count, schema=LOGGED)
    (batch,) = table.combine_chunks().to_batches()
    return batch


def reply() -> Reply:
    """A reply with one row, as the log takes it."""
    import msgspec

    at_us = int(VALUES["predicted_at"].timestamp() * 1e6)
    named = {
        WRITTEN[name]: at_us if name == "predicted_at" else VALUES[name]
        for name in LOGGED.names
        if name in WRITTEN
    }
    return Reply([msgspec.json.encode(named)], 1.0, [])


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    """What reads segments in a process of its own."""
    found = Outside(CONTRACT, 1_000, 2**20)
    yield found
    found.stop()


OpenLog = Callable[..., PredictionLog]


@pytest.fixture
def open_log(tmp_path: Path, outside: Outside) -> OpenLog:
    """A log that writes and ships when it is told to."""

    def opened(**changes: object) -> PredictionLog:
        settings = settings_in(tmp_path, **changes)
        lake = LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path}/catalog.sqlite")
        return PredictionLog(settings, lake, Metrics(), None, outside)

    return opened


def in_lake(folder: Path) -> int:
    """How many predictions are in the lake."""
    files = (folder / "lake").glob("bronze/predictions/date=*/*.parquet")
    return sum(pq.read_metadata(file).num_rows for file in files)


def on_a_full_disk(folder: Path) -> None:
    """Appends until the disk takes no more, then a thousand times, then after room has come."""
    spool = Spool(folder / "spool", LIMIT_BYTES)
    limit, batch, kept = 100_000, rows(20), 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    refused = 0
    while refused < 1_000:
        try:
            spool.append(batch)
            kept += batch.num_rows
        except OSError as error:
            if error.errno not in (errno.EFBIG, errno.ENOSPC):
                raise
            refused += 1
    assert len(list((folder / "spool").iterdir())) == 1, "an empty segment was left at each try"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    spool.append(batch)
    spool.close()
    (path,) = spool.segments()
    _, found, fault = read_segment(path)
    assert (found.num_rows, fault) == (kept + batch.num_rows, None)


def on_a_disk_that_takes_nothing(folder: Path) -> None:
    """Begins a segment a thousand times while not a byte is taken."""
    spool = Spool(folder / "spool", LIMIT_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    for _ in range(1_000):
        with pytest.raises(OSError, match=r"too large|No space"):
            spool.append(rows(1))
    assert list((folder / "spool").iterdir()) == []


@pytest.mark.parametrize("what", [on_a_full_disk, on_a_disk_that_takes_nothing])
def test_a_full_disk_costs_no_row_that_was_kept_and_leaves_no_file(
    what: Callable[[Path], None], tmp_path: Path
) -> None:
    # A limit of its own process stands for the disk's: it holds for root and on every file system.
    process = multiprocessing.get_context("fork").Process(target=what, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_a_spool_that_holds_enough_takes_no_more_and_says_so(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(spool_limit_bytes=1_048_576)
    batch = rows(1_000)
    for size in (1_000, 100, 1):
        before = log.lost
        while log.lost == before:
            log.add_batch(rows(size))
    assert log.spool.bytes <= 1_048_576
    assert "SERVING_SPOOL_LIMIT_BYTES" in str(log.problem)
    lost = log.lost
    log.add_batch(batch)
    assert log.lost == lost + batch.num_rows
    # What comes one by one is held, up to a bound, and what is dropped is counted.
    for _ in range(200):
        log.add(reply())
    log.write()
    assert log.lost == lost + batch.num_rows
    kept = sum(read_segment(path)[1].num_rows for path in log.spool.segments())
    log.ship()
    assert in_lake(tmp_path) == kept
    log.spool._count_at = 0.0
    log.write()
    assert log.problem is None
    log.ship()
    assert in_lake(tmp_path) == kept + 200


def test_what_is_held_in_memory_is_bounded_in_rows(
    open_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.log.prediction_log.HELD_ROWS", 100)
    log = open_log()
    log.spool.folder.parent.mkdir(parents=True, exist_ok=True)
    log.spool.folder.write_text("a file where the folder was")
    for _ in range(250):
        log.add(reply())
    log.write()
    assert log.lost == 150
    assert len(log._replies) == 100


def test_a_file_is_refused_before_its_answer_while_nothing_can_be_kept(open_log: OpenLog) -> None:
    log = open_log(spool_limit_bytes=1_048_576)
    log.require_room()
    (log.spool.folder).mkdir(parents=True)
    (log.spool.folder / f"old{SUFFIX}").write_bytes(b"x" * 1_100_000)
    log.spool._count_at = 0.0
    with pytest.raises(ServiceBusy, match="spool is full"):
        log.require_room()


def whole(count: int = 30) -> bytes:
    """A whole segment of some batches of ten rows."""
    return HEAD + b"".join([rows(10).serialize().to_pybytes()] * (count // 10)) + END


def flipped(content: bytes, seed: int) -> bytes:
    """The same with twenty bytes changed behind its head."""
    generator, changed = random.Random(seed), bytearray(content)
    for _ in range(20):
        changed[generator.randrange(len(HEAD), len(changed))] = generator.randrange(256)
    return bytes(changed)


def other_columns() -> bytes:
    """A whole stream of something else."""
    batch = pa.RecordBatch.from_pydict({"a": [1]})
    return bytes(batch.schema.serialize().to_pybytes() + batch.serialize().to_pybytes() + END)


def with_nulls() -> bytes:
    """A whole stream of rows that the lake does not take."""
    nullable = pa.schema([item.with_nullable(True) for item in LOGGED])
    batch = pa.RecordBatch.from_arrays([pa.nulls(1, item.type) for item in LOGGED], schema=nullable)
    return HEAD + bytes(batch.serialize().to_pybytes()) + END


GARBAGE: dict[str, bytes] = {
    "zeros": b"\0" * 5_000,
    "random": random.Random(1).randbytes(5_000),
    "other columns": other_columns(),
    "rows without values": with_nulls(),
    "text": b"this is no segment\n" * 50,
    "torn": whole()[:-200],
    "its end only": END,
    "something behind it": whole() + b"more",
    **{f"changed {seed}": flipped(whole(), seed) for seed in range(8)},
}


@pytest.mark.parametrize("what", GARBAGE)
def test_a_damaged_segment_is_kept_with_its_reason_and_the_next_ones_are_shipped(
    open_log: OpenLog, tmp_path: Path, what: str
) -> None:
    log, folder = open_log(), tmp_path / "spool"
    folder.mkdir(parents=True)
    name = f"{new_segment(datetime(2020, 1, 1, tzinfo=UTC))}{SUFFIX}"
    (folder / name).write_bytes(GARBAGE[what])
    log.spool.append(rows(7))
    log.ship()
    log._count()
    kept = folder / QUARANTINE / name
    if what.startswith("changed") and not kept.exists():
        # A changed number is still a number: then all rows are there.
        assert in_lake(tmp_path) == 37
        return
    assert in_lake(tmp_path) >= 7
    assert kept.read_bytes() == GARBAGE[what]
    assert kept.with_name(name + REASON).read_text().strip()
    assert list(folder.glob(f"*{SUFFIX}")) == []
    assert QUARANTINE in str(log.problem)
    assert "canopy_spool_quarantined 1.0" in log._metrics.page().decode()
    # It is put away once, and said once.
    log.ship()
    assert log.spool.quarantined() == 1


def is_kept(log: PredictionLog, content: bytes) -> bool:
    """Ships a segment with this content; whether it was put away, whole and with a reason."""
    folder, name = log.spool.folder, f"{new_segment(datetime(2020, 1, 1, tzinfo=UTC))}{SUFFIX}"
    (folder / name).write_bytes(content)
    log.ship()
    kept = folder / QUARANTINE / name
    assert list(folder.glob(f"*{SUFFIX}")) == []
    if not kept.exists():
        return False
    assert kept.read_bytes() == content
    assert kept.with_name(name + REASON).read_text().strip()
    return True


def is_made_by_shipping(name: str) -> bool:
    """Picks what a segment leaves for good: its rows in the lake, or itself beside its reason."""
    return name == "lake" or name.startswith(("lake/bronze", f"spool/{QUARANTINE}"))


def test_changed_segments_are_shipped_or_kept_and_nothing_else_happens(
    open_log: OpenLog,
    outside: Outside,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
) -> None:
    """The long form: `--mutations 2000`.

    The process that reads them works in `/`, and may write nowhere there; what is compared is the home of
    who calls it.
    """
    log, folder = open_log(), tmp_path / "spool"
    for path in (folder, tmp_path / "tmp"):
        path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    outside.start()
    warm, count = outside._caller.sandbox._process, int(pytestconfig.getoption("mutations")) or 40
    inputs, kept = mutations([whole(), whole(10), HEAD + whole()], count, seed=count), 0
    for some in compared(tmp_path, inputs, seed=count, new=is_made_by_shipping):
        kept += sum([is_kept(log, content) for content in some])
    assert kept > count / 4
    log.spool.append(rows(7))
    before = in_lake(tmp_path)
    log.ship()
    assert in_lake(tmp_path) == before + 7
    assert warm is outside._caller.sandbox._process
    assert warm
    assert warm.poll() is None


@pytest.mark.parametrize("content", [b"", HEAD[:50], HEAD, HEAD + END])
def test_a_segment_in_which_nothing_was_written_just_goes(
    open_log: OpenLog, tmp_path: Path, content: bytes
) -> None:
    log, folder = open_log(), tmp_path / "spool"
    folder.mkdir(parents=True)
    (folder / f"{new_segment(datetime(2020, 1, 1, tzinfo=UTC))}{SUFFIX}").write_bytes(content)
    log.ship()
    assert list(folder.iterdir()) == []


def test_a_segment_that_was_cut_by_a_kill_between_two_batches_is_no_damage(
    open_log: OpenLog, tmp_path: Path
) -> None:
    log, folder = open_log(), tmp_path / "spool"
    folder.mkdir(parents=True)
    name = f"{new_segment(datetime(2020, 1, 1, tzinfo=UTC))}{SUFFIX}"
    (folder / name).write_bytes(whole().removesuffix(END))
    log.ship()
    assert in_lake(tmp_path) == 30
    assert list(folder.iterdir()) == []
