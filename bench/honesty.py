"""Whether the reported interval holds the truth: `python -m bench.honesty`.

Ten collections, each by the collector against the simulator with another seed, refined and learned from as
the product does it. What it reports is compared with the macro-F1 on all rows that this collection was
never served, and so is what a random split of the landed rows would have reported.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.collecting import BESIDE, honest_macro_f1, run
from source.simulator.rows import read_rows
from source.simulator.synthetic import generate
from training.judge.scores import Interval

REQUESTS = 1


@dataclass(frozen=True)
class Collection:
    """What one collection came to.

    Attributes:
        distinct_rows: That it brought.
        reported: The product's macro-F1, with its interval.
        naive: That of a random split, with the interval that its rows give.
        true: On the rows that it was never served.
    """

    distinct_rows: int
    reported: Interval
    naive: Interval
    true: float

    @property
    def holds(self) -> bool:
        """Returns whether the reported interval holds the truth."""
        return self.reported.low <= self.true <= self.reported.high

    @property
    def naive_holds(self) -> bool:
        """Returns whether the naive one does."""
        return self.naive.low <= self.true <= self.naive.high


def collect(rows: pa.Table, seed: int, trees: int, home: Path) -> Collection:
    """Returns one collection of ten batches.

    Args:
        rows: What the simulator serves; strings, shape (n_rows, 13).
        seed: Of its sampling.
        trees: Of the forest.
        home: A folder of its own.
    """
    outcome = run(rows, "group", REQUESTS, seed, trees, home, leak_meter=True)
    true, _ = honest_macro_f1(outcome.artefact, rows, outcome.served)
    naive = outcome.evaluation.naive
    if naive is None:
        raise RuntimeError("nothing landed that a random split could have tested on")
    return Collection(outcome.distinct_rows, outcome.evaluation.scores.macro_f1, naive.macro_f1, true)


def report(collections: list[Collection]) -> str:
    """Returns the table, and how often each interval held the truth."""
    lines = [
        "| collection | distinct rows | reported | truth | held | random split | held |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, one in enumerate(collections, start=1):
        lines.append(
            f"| {number} | {one.distinct_rows:,} | {_shown(one.reported)} | {one.true:.3f} | "
            f"{_mark(one.holds)} | {_shown(one.naive)} | {_mark(one.naive_holds)} |"
        )
    means = np.mean(
        [(one.distinct_rows, one.reported.value, one.true, one.naive.value) for one in collections], axis=0
    )
    lines.append("| mean | {:,.0f} | {:.3f} | {:.3f} | | {:.3f} | |".format(*means))
    held, naive_held = (sum(getattr(one, name) for one in collections) for name in ("holds", "naive_holds"))
    lines += ["", f"Of {len(collections)} the reported interval held {held}, the naive one {naive_held}."]
    return "\n".join(lines)


def _shown(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _mark(holds: bool) -> str:
    return "yes" if holds else "no"


def main() -> None:
    """Collects, and prints the table."""
    parser = argparse.ArgumentParser(description="Whether the reported interval holds the truth.")
    parser.add_argument("--rows", type=Path, help="real rows (docs/files.md); else they are synthetic")
    parser.add_argument("--collections", type=int, default=10)
    parser.add_argument("--trees", type=int, default=200)
    arguments = parser.parse_args()
    path = arguments.rows or (BESIDE if BESIDE.exists() else None)
    rows = read_rows(path) if path else generate(116_203, seed=31)
    found = []
    for seed in range(arguments.collections):
        with tempfile.TemporaryDirectory() as folder:
            found.append(collect(rows, seed, arguments.trees, Path(folder)))
    print(f"{rows.num_rows} rows of {path.name if path else 'the generator'}\n")
    print(report(found))


if __name__ == "__main__":
    main()
