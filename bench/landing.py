"""A response from its bytes to bronze, against the bare minimum: `python -m bench.landing`.

The bare minimum is `json.loads` and one `pyarrow.parquet.write_table` of the 13 columns: nothing is kept byte
for byte, nothing is checked, nothing says where a row comes from, nothing is synced. Both run in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.covertype import covertype
from lake.bronze.landings import Provenance, keep_raw, land_rows
from lake.objects import FolderObjects
from source.difference import Difference
from source.response import parse
from source.simulator.rows import read_rows
from source.simulator.synthetic import generate

GROUP, BATCH = 1, 3
RESPONSE_ROWS = 5_810
BESIDE = Path(__file__).parents[2] / "shared" / "data" / "covertype.parquet"
LANDING, WITHOUT_FSYNC, BARE = "landing", "landing without fsync", "bare minimum"
KEEPING, READING, WRITING = "of it: keeping the response", "of it: reading it", "of it: keeping its rows"
ORDER = (BARE, LANDING, KEEPING, READING, WRITING, WITHOUT_FSYNC)
NAMES = [column.source_name for column in covertype().columns]


@dataclass
class Timings:
    """Seconds of each repetition, by what was done; and the files that both sides wrote last."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    landed: Path = Path()
    bare: Path = Path()

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Adds what the block takes."""
        began = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)

    def ratios(self, name: str) -> list[float]:
        """Returns how many times as long as the bare minimum it took, repetition by repetition."""
        return [mine / bare for mine, bare in zip(self.seconds[name], self.seconds[BARE], strict=True)]

    def hold_same_rows(self) -> bool:
        """Returns whether both sides wrote the same values."""
        return bool(pq.read_table(self.landed, columns=NAMES).equals(pq.read_table(self.bare)))


def response(rows: pa.Table, count: int = RESPONSE_ROWS) -> bytes:
    """Returns what the service answers: a sample of rows, all values as strings, as FastAPI writes JSON."""
    chosen = random.Random(1).sample(range(rows.num_rows), count)
    data = [list(row.values()) for row in rows.select(NAMES).take(chosen).to_pylist()]
    content = {"group_number": GROUP, "batch_number": BATCH, "data": data}
    return json.dumps(content, separators=(",", ":")).encode()


def measure(body: bytes, folder: Path, repetitions: int) -> Timings:
    """Returns both sides in turns; the first turn, which loads and compiles, is not counted."""
    timings, objects = Timings(), FolderObjects(folder / "lake")
    for repetition in range(repetitions + 1):
        if repetition == 1:
            timings.seconds.clear()
        fetched_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=2 * repetition)
        turns: list[Callable[[], None]] = [
            lambda at=fetched_at: _land(body, objects, at, timings),  # type: ignore[misc]
            lambda at=fetched_at: _land_unsynced(body, objects, at, timings),  # type: ignore[misc]
            # A new file each time, as a landing's are: ext4 flushes one that is written over.
            lambda at=repetition: _write_bare(body, folder / f"bare-{at}.parquet", timings),  # type: ignore[misc]
        ]
        for place in range(len(turns)):
            turns[(place + repetition) % len(turns)]()
    return timings


def table(timings: Timings) -> str:
    """Returns the measurements in Markdown."""
    lines = ["| | median, ms | quartiles, ms | times the bare minimum |", "|---|---|---|---|"]
    for name in sorted(timings.seconds, key=ORDER.index):
        seconds = timings.seconds[name]
        low, median, high = statistics.quantiles([second * 1000 for second in seconds], n=4)
        times = statistics.median(timings.ratios(name))
        lines.append(f"| {name} | {median:.1f} | {low:.1f}-{high:.1f} | {times:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measures in a folder of this disk, and prints the table."""
    parser = argparse.ArgumentParser(description="A response to bronze, against the bare minimum.")
    parser.add_argument("--rows", type=Path, help="real rows (docs/files.md); else they are synthetic")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path(".canopy"), help="on the disk to measure")
    arguments = parser.parse_args()
    path = arguments.rows or (BESIDE if BESIDE.exists() else None)
    rows = read_rows(path) if path else generate(10 * RESPONSE_ROWS, seed=31)
    body = response(rows)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        timings = measure(body, Path(folder), arguments.repetitions)
        print(
            f"{RESPONSE_ROWS} rows of {path.name if path else 'the generator'}, {len(body)} bytes, "
            f"{arguments.repetitions} repetitions in turns, {_file_system(Path(folder))}\n"
        )
        print(table(timings))
        if not timings.hold_same_rows():
            raise SystemExit("The two sides hold different rows.")


def _land(body: bytes, objects: FolderObjects, fetched_at: datetime, timings: Timings) -> None:
    provenance = Provenance("covertype", GROUP, fetched_at, "r" * 32, "http://source:8010/data", "canopy/0")
    with timings.timed(LANDING):
        with timings.timed(KEEPING):
            raw = keep_raw(objects, body, provenance)
        with timings.timed(READING):
            batch = parse(body, GROUP)
        if isinstance(batch, Difference):
            raise SystemExit(f"The response does not fit: {batch.text}")
        with timings.timed(WRITING):
            landing = land_rows(objects, raw, batch.batch_number, batch.rows)
    timings.landed = Path(objects.url(landing.key))


def _land_unsynced(body: bytes, objects: FolderObjects, fetched_at: datetime, timings: Timings) -> None:
    apart = Timings()
    with patch("os.fsync"):
        _land(body, objects, fetched_at + timedelta(seconds=1), apart)
    timings.seconds.setdefault(WITHOUT_FSYNC, []).extend(apart.seconds[LANDING])


def _write_bare(body: bytes, file: Path, timings: Timings) -> None:
    timings.bare = file
    with timings.timed(BARE):
        columns = zip(*json.loads(body)["data"], strict=True)
        arrays = [pa.array(column, pa.string()) for column in columns]
        pq.write_table(pa.table(arrays, names=NAMES), file)


def _file_system(folder: Path) -> str:
    """Returns the kind of the innermost mount that holds the folder."""
    holding = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if folder.resolve().is_relative_to(mount.mountpoint)
    ]
    nearest = max(holding, key=lambda mount: len(mount.mountpoint), default=None)
    return f"{nearest.fstype if nearest else 'unknown file system'}, {os.cpu_count()} processors"


if __name__ == "__main__":
    main()
