"""What one more landing costs, and what building from nothing costs: `python -m bench.refine`.

One more landing of 5,810 rows is refined on lakes of 10, 1,000 and 10,000 landings (58 million sightings),
written straight into bronze. Building from nothing is measured against one DuckDB script written by hand
that makes the same tables as plain Parquet, with no catalog, no snapshots and no tests. Each measurement is
a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.lakes import RESPONSE_ROWS, Bronze
from bench.refine_by_hand import refine_by_hand
from bench.refine_with_pandas import refine_with_pandas
from lake.settings import LakeSettings

SIZES = (10, 1_000, 10_000)
MEGABYTE = 1_048_576


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes:
        seconds: From its start to its end, the starting of Python and the loading of libraries left out.
        sql_seconds: Of it, what the models and tests took.
        peak_mb: Greatest resident memory of the process, in MiB.
    """

    seconds: float
    sql_seconds: float
    peak_mb: float


def lake_in(folder: Path) -> LakeSettings:
    """Returns the lake of a measurement."""
    return LakeSettings(uri=str(folder / "lake"), catalog=f"sqlite:{folder}/catalog.sqlite")


def measure(what: str, folder: Path) -> None:
    """Does one thing to the lake in a folder and prints what it cost, as JSON."""
    began = time.perf_counter()
    if what == "by hand":
        refine_by_hand(lake_in(folder), folder / "by_hand")
        sql_seconds = time.perf_counter() - began
    elif what == "pandas":
        sql_seconds = refine_with_pandas(lake_in(folder), folder / "pandas.sqlite")
    else:
        sql_seconds = _refine(folder, is_full_refresh=what == "rebuild")
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE
    sys.stdout.write(json.dumps(asdict(Cost(seconds, sql_seconds, peak))) + "\n")


def _refine(folder: Path, *, is_full_refresh: bool) -> float:
    from pipeline.dbt import build

    build(lake_in(folder), state=folder / "dbt", is_full_refresh=is_full_refresh)
    results = json.loads((folder / "dbt" / "target" / "run_results.json").read_text())["results"]
    return float(sum(result["execution_time"] for result in results))


def cost_of(what: str, folder: Path) -> Cost:
    """Returns what one thing costs in a process of its own."""
    command = [sys.executable, "-m", "bench.refine", "--measure", what, "--folder", str(folder)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Cost(**json.loads(answer.splitlines()[-1]))


def middle(costs: Sequence[Cost]) -> Cost:
    """Returns the median of each figure."""
    return Cost(
        *(statistics.median(values) for values in zip(*(vars(c).values() for c in costs), strict=True))
    )


@dataclass(frozen=True)
class Grown:
    """One lake: built from nothing, then landing after landing."""

    landings: int
    rebuild: Cost
    one_more: Cost


def grow(bronze: Bronze, folder: Path, landings: int, more: int) -> Grown:
    """Builds a lake of so many landings, then refines some more, one by one."""
    bronze.land(range(landings))
    rebuild = cost_of("rebuild", folder)
    costs = []
    for number in range(landings, landings + more):
        bronze.land(range(number, number + 1))
        costs.append(cost_of("one more", folder))
    return Grown(landings, rebuild, middle(costs))


def report(
    grown: Sequence[Grown], by_hand: Sequence[tuple[Cost, Cost]], pandas: Sequence[tuple[int, Cost]]
) -> str:
    """Returns the tables of docs/benchmarks.md."""
    first = grown[0].one_more
    lines = [
        "| Landings before | One more: SQL | against the first | all | peak memory | From nothing | rows/s |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {lake.landings:,} | {lake.one_more.sql_seconds:.2f} s "
        f"| {lake.one_more.sql_seconds / first.sql_seconds:.2f} | {lake.one_more.seconds:.2f} s "
        f"| {lake.one_more.peak_mb:,.0f} MiB "
        f"| {lake.rebuild.seconds:,.0f} s, {lake.rebuild.peak_mb:,.0f} MiB "
        f"| {lake.landings * RESPONSE_ROWS / lake.rebuild.seconds:,.0f} |"
        for lake in grown
    ]
    lines += ["", "| From nothing | Canopy | by hand | throughput against by hand |", "|---|---|---|---|"]
    lines += [
        f"| {number} | {mine.seconds:.1f} s | {hand.seconds:.1f} s | {hand.seconds / mine.seconds:.2f} |"
        for number, (mine, hand) in enumerate(by_hand, start=1)
    ]
    if pandas:
        lines += ["", "| pandas and SQLite, landings before | one more | peak memory |", "|---|---|---|"]
        lines += [
            f"| {landings:,} | {cost.seconds:.2f} s | {cost.peak_mb:,.0f} MiB |" for landings, cost in pandas
        ]
    return "\n".join(lines)


def against_hand(folder: Path, repetitions: int) -> list[tuple[Cost, Cost]]:
    """Returns both ways from nothing on one lake, in turns."""
    return [(cost_of("rebuild", folder), cost_of("by hand", folder)) for _ in range(repetitions)]


def against_pandas(rows: int, folder: Path, sizes: Sequence[int]) -> list[tuple[int, Cost]]:
    """Returns the usual way, landing after landing."""
    costs = []
    for landings in sizes:
        place = folder / f"pandas-{landings}"
        bronze = Bronze(lake_in(place), rows)
        bronze.land(range(landings))
        cost_of("pandas", place)
        bronze.land(range(landings, landings + 1))
        costs.append((landings, cost_of("pandas", place)))
    return costs


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="landings before the one more")
    parser.add_argument("--more", type=int, default=5, help="landings refined one by one on each lake")
    parser.add_argument("--by-hand", type=int, default=1_000, help="landings of the comparison by hand")
    parser.add_argument("--repetitions", type=int, default=3, help="of the comparison by hand")
    parser.add_argument(
        "--pandas", type=int, nargs="*", default=(10, 100), help="landings before, for pandas"
    )
    parser.add_argument("--rows", type=int, default=581_012, help="distinct rows that the source has")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the lakes are made; a temporary one if not given")
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.folder)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as made:
        folder = Path(made)
        grown = []
        for landings in arguments.sizes:
            place = folder / str(landings)
            grown.append(grow(Bronze(lake_in(place), arguments.rows), place, landings, arguments.more))
        place = folder / "by-hand"
        Bronze(lake_in(place), arguments.rows).land(range(arguments.by_hand))
        by_hand = against_hand(place, arguments.repetitions)
        pandas = against_pandas(arguments.rows, folder, arguments.pandas)
    sys.stdout.write(report(grown, by_hand, pandas) + "\n")


if __name__ == "__main__":
    main()
