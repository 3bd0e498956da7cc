"""What asking more often buys, after ten batches: `python -m bench.collecting`.

The same collector against the same simulator, once with one request a batch and once with the coverage
policy at 30 requests a window; its windows of five minutes pass at once. What each has landed is refined, and
a model is fitted and scored twice: as the product does it, and on rows that were served to neither.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from sklearn.metrics import f1_score

from contracts.covertype import covertype
from lake.read.query import run_query
from lake.settings import LakeSettings
from pipeline.refine import refine
from source.collect import collect
from source.settings import SourceSettings
from source.simulator.rows import read_rows
from source.simulator.server import serving
from source.simulator.settings import SimulatorSettings
from source.simulator.synthetic import generate
from training.fit.artefact import Artefact
from training.fit.challenger import fit
from training.fit.rows import as_features, read_training_set
from training.judge.evaluation import Evaluation
from training.settings import TrainingSettings

BESIDE = Path(__file__).parents[2] / "shared" / "data" / "covertype.parquet"
BATCHES, WINDOW_S = 10, 300.0
Slicing = Literal["group", "batch"]
Row = tuple[str, ...]
POLICIES = {"one request a batch": 1, "until 95 % are covered, 30 a window at most": 30}


@dataclass(frozen=True)
class Outcome:
    """What one policy came to after ten batches."""

    requests: int
    landed_rows: int
    distinct_rows: int
    evaluation: Evaluation
    artefact: Artefact
    served: set[Row]

    @property
    def reported(self) -> float:
        """Returns the macro-F1 that the product reports."""
        return self.evaluation.scores.macro_f1.value


class Clock:
    """A time that both sides share; it goes on a little each time it is read."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) - timedelta(hours=1)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


def run(
    rows: pa.Table,
    slicing: Slicing,
    requests: int,
    seed: int,
    trees: int,
    home: Path,
    *,
    leak_meter: bool = False,
) -> Outcome:
    """Runs ten windows of one policy, refined and learned from.

    Args:
        rows: What the simulator serves; strings, shape (n_rows, 13).
        slicing: What the deployment resamples.
        requests: The policy's budget of a window.
        seed: Of the simulator's sampling.
        trees: Of the forest.
        home: A folder of its own.
        leak_meter: Whether to take the figure of a random split too.
    """
    clock = Clock()
    lake = LakeSettings(uri=str(home / "lake"), catalog=f"sqlite:{home}/catalog.sqlite")
    simulator = SimulatorSettings(window_s=WINDOW_S, slicing=slicing, seed=seed, state=home / "state.json")
    landed = []
    with serving(simulator, rows, lambda: clock.now.timestamp()) as url:
        source = SourceSettings(
            url=url, window_s=WINDOW_S, requests_per_window=requests, pace_s=0, incoming=home / "incoming"
        )
        for _ in range(BATCHES):
            landed += collect([source], lake, clock=clock).landings
            clock.now += timedelta(seconds=WINDOW_S + 1)
    publication = refine(lake, state=home / "dbt").publication
    settings = TrainingSettings(parameters={"trees": trees}, leak_meter=leak_meter)
    trained = fit(read_training_set(lake, publication), settings)
    names = ", ".join(column.name for column in covertype().columns)
    served = {
        tuple(map(str, row)) for row in run_query(f"select {names} from gold.training_set", lake=lake).rows
    }
    landed_rows = sum(landing.rows for landing in landed)
    return Outcome(len(landed), landed_rows, len(served), trained.evaluation, trained.artefact, served)


def honest_macro_f1(artefact: Artefact, rows: pa.Table, served: set[Row]) -> tuple[float, int]:
    """Returns the macro-F1 on rows that were never served, and how many those are."""
    unseen = [row for row in zip(*rows.to_pydict().values(), strict=True) if row not in served]
    names = [column.name for column in covertype().columns]
    columns = dict(zip(names, map(np.array, zip(*unseen, strict=True)), strict=True))
    labels = columns.pop(covertype().label.name).astype(np.int64)
    answered = artefact.answer(as_features(columns, covertype())).labels
    return float(f1_score(labels, answered, average="macro")), len(unseen)


def compare(rows: pa.Table, slicing: Slicing, seeds: int, trees: int, folder: Path) -> list[str]:
    """Returns one table row a policy: means over the seeds."""
    found: dict[str, list[tuple[float, ...]]] = {policy: [] for policy in POLICIES}
    for seed in range(seeds):
        outcomes = {}
        for place, (policy, requests) in enumerate(POLICIES.items()):
            home = folder / f"{slicing}-{seed}-{place}"
            outcomes[policy] = run(rows, slicing, requests, seed, trees, home)
        served = set().union(*(outcome.served for outcome in outcomes.values()))
        for policy, one in outcomes.items():
            honest, unseen = honest_macro_f1(one.artefact, rows, served)
            figures = (one.requests, one.landed_rows, one.distinct_rows, one.reported, honest, unseen)
            found[policy].append(figures)
    lines = []
    for policy, measured in found.items():
        requests, landed, distinct, reported, honest, unseen = np.mean(measured, axis=0)
        lines.append(
            f"| by {slicing} | {policy} | {requests:.0f} | {landed:,.0f} | {distinct:,.0f} | "
            f"{reported:.3f} | {honest:.3f} | {unseen:,.0f} |"
        )
    return lines


def main() -> None:
    """Runs both policies against both kinds of deployment, and prints the table."""
    parser = argparse.ArgumentParser(description="What asking more often buys.")
    parser.add_argument("--rows", type=Path, help="real rows (docs/files.md); else they are synthetic")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trees", type=int, default=200)
    arguments = parser.parse_args()
    path = arguments.rows or (BESIDE if BESIDE.exists() else None)
    rows = read_rows(path) if path else generate(116_203, seed=31)
    print(f"{rows.num_rows} rows of {path.name if path else 'the generator'}, {arguments.seeds} seeds\n")
    print("| slices | policy | requests | landed | distinct rows | reported | honest | rows never served |")
    print("|---|---|---|---|---|---|---|---|")
    for slicing in ("group", "batch"):
        with tempfile.TemporaryDirectory() as folder:
            for line in compare(rows, slicing, arguments.seeds, arguments.trees, Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
