"""Whether a compaction slows a reader: `python -m bench.compacting`.

A lake whose one table lies in hundreds of small files is read in a loop: first alone, then beside a process
that does nothing but compute, then beside one that compacts. A compaction keeps a processor busy, so what a
reader may lose to it is what it loses to any other work.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from lake.catalog.compact import compact
from lake.catalog.connection import connect, current_snapshot
from lake.read.query import run_query
from lake.settings import LakeSettings

SUM = "select count(*), sum(number) from gold.numbers"
APART = multiprocessing.get_context("spawn")


def make(lake: LakeSettings, writes: int, rows: int) -> None:
    """Makes a table of as many files as writes."""
    with connect(lake, write=True) as connection:
        connection.execute("create schema if not exists gold")
        connection.execute("create table gold.numbers (number bigint)")
        for number in range(writes):
            connection.execute(f"insert into gold.numbers select range + {number * rows} from range({rows})")


def read_for(lake: LakeSettings, snapshot: int, seconds: float) -> list[float]:
    """Returns seconds of each query, one after the other."""
    taken, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        run_query(SUM, lake=lake, at=str(snapshot))
        taken.append(time.perf_counter() - began)
    return taken


def compute(is_over: Event) -> None:
    """Keeps a processor busy."""
    while not is_over.is_set():
        sum(range(100_000))


def compact_on(is_over: Event, lake: LakeSettings, snapshot: int, told: Any) -> None:
    """Writes small files and compacts them, again and again."""
    hasty = lake.model_copy(update={"keep_snapshots_days": 0.0})
    while not is_over.is_set():
        with connect(lake, write=True) as connection:
            for _ in range(10):
                connection.execute("insert into gold.numbers values (0)")
        told.put(compact(hasty, [snapshot], now=datetime.now(UTC) + timedelta(seconds=2)).files_before)


def beside(
    work: Callable[..., None], arguments: tuple[Any, ...], measure: Callable[[], list[float]]
) -> list[float]:
    """Measures while another process works."""
    is_over = APART.Event()
    process = APART.Process(target=work, args=(is_over, *arguments))
    process.start()
    time.sleep(3)  # until it has come up
    try:
        return measure()
    finally:
        is_over.set()
        process.join(120)


def main() -> None:
    """Runs the measurement and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=200)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a write")
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = LakeSettings(uri=str(Path(folder) / "lake"), catalog=f"sqlite:{folder}/catalog.sqlite")
        make(lake, options.writes, options.rows)
        with connect(lake) as connection:
            snapshot = current_snapshot(connection)
        told = APART.Queue()

        def measure() -> list[float]:
            return read_for(lake, snapshot, options.seconds)

        found = {
            "alone": measure(),
            "beside a process that computes": beside(compute, (), measure),
            "beside a compaction": beside(compact_on, (lake, snapshot, told), measure),
        }
        compactions = 0
        while not told.empty():
            told.get()
            compactions += 1
    print("| reader | queries | median | 95th percentile |", "|---|---|---|---|", sep="\n")
    for name, taken in found.items():
        worst = statistics.quantiles(taken, n=20)[-1]
        print(f"| {name} | {len(taken)} | {statistics.median(taken) * 1e3:.0f} ms | {worst * 1e3:.0f} ms |")
    print(f"\n{compactions} compactions came to their end meanwhile.")


if __name__ == "__main__":
    main()
