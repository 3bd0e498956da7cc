"""Ways to answer the product's forest, side by side: `python -m bench.engines`.

One model, the same real rows, one thread, a process each, turn by turn in rounds; processor time:

- the kernel of the service (`serving/engine/`).
- ONNX Runtime on the model as it was registered, and on the same trees as a TreeEnsembleClassifier.
- treelite's interpreter, and C that tl2cgen makes of one tree, in an environment of their own
  (`make .bench-venv/.bench`).

All begin with the twelve columns, compute the features by the model's own graph, and end with labels and
shares, which must be ONNX Runtime's to 1e-5.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.forests.written import write_forms
from bench.servers.model import write_model
from bench.servers.running import BENTO_PYTHON, ROOT
from bench.serving import BESIDE, features_of
from contracts.covertype import covertype
from source.simulator.rows import read_rows
from source.simulator.synthetic import generate

CLOSE, WANTED = 1e-5, "onnx_tree_ensemble"
# What is asked at once, for how many seconds, and whether other work has emptied the caches before.
ASKED = {
    "1 row": (1, 0.3, False),
    "8 rows": (8, 0.3, False),
    "8 rows, after 96 MB of other data": (8, 0.3, True),
    "16 rows": (16, 0.3, False),
}
FILE, FILE_ROWS = "a file of 100,000", 100_000
# In which environment each runs, and whether it answers as the model does: one tree does not.
WAYS = {
    "kernel": (sys.executable, True),
    WANTED: (sys.executable, True),
    "onnx_classifier": (sys.executable, True),
    "gtil": (str(BENTO_PYTHON), True),
    "tl2cgen": (str(BENTO_PYTHON), False),
    "onnx_features": (sys.executable, False),
}
NAMES = {
    "kernel": "**the kernel**",
    WANTED: "ONNX Runtime, TreeEnsemble",
    "onnx_classifier": "ONNX Runtime, TreeEnsembleClassifier",
    "gtil": "treelite, GTIL",
    "tl2cgen": "tl2cgen, gcc -O0, the first tree alone",
    "onnx_features": "of each: the features",
}


class Way:
    """One contestant that runs.

    Attributes:
        name: One of `NAMES`.
        ready_s: Seconds of processor until it was ready, of its compiler too.
    """

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name, self._process = name, process
        self.ready_s = self._read()

    def us_a_row(self, asked: tuple[int, float, bool]) -> float:
        """Has it take a turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has ended with {self._process.wait()}.")
        return float(json.loads(line))


@contextmanager
def started(name: str, python: str, folder: Path) -> Iterator[Way]:
    """Yields a contestant, up."""
    command = [python, "-m", "bench.forests.answering", name, str(folder)]
    pipe: Any = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Way(name, process)
        finally:
            process.kill()


def check_answers(folder: Path) -> None:
    """Ends the measurement if somebody answers otherwise than ONNX Runtime."""
    wanted = np.load(folder / f"{WANTED}.npz")
    for name, (_, answers_all) in WAYS.items():
        found = np.load(folder / f"{name}.npz")
        if answers_all and not (
            np.array_equal(found["labels"], wanted["labels"])
            and np.allclose(found["shares"], wanted["shares"], rtol=0, atol=CLOSE)
        ):
            raise SystemExit(f"{name} answers otherwise than {WANTED}.")


def side_by_side(ways: list[Way], rounds: int) -> Mapping[str, Mapping[str, list[float]]]:
    """Returns microseconds a row by contestant and by what was asked, one a round; a file is asked once."""
    found: dict[str, dict[str, list[float]]] = {way.name: {what: [] for what in ASKED} for way in ways}
    for _ in range(rounds):
        for what, asked in ASKED.items():
            for way in ways:
                found[way.name][what].append(way.us_a_row(asked))
    for way in ways:
        found[way.name][FILE] = [way.us_a_row((FILE_ROWS, 0.0, False))]
    return found


def table(found: Mapping[str, Mapping[str, list[float]]], ready: Mapping[str, float]) -> Iterator[str]:
    """Yields the lines of the report: medians of the rounds, and of the rounds' ratios."""
    yield f"| µs a row | {' | '.join(ASKED)} | {FILE} | 8 rows: replies, the kernel's = 1 | until ready |"
    yield "|---" * (len(ASKED) + 4) + "|"
    for name, turns in found.items():
        ratios = [
            mine / other for mine, other in zip(found["kernel"]["8 rows"], turns["8 rows"], strict=True)
        ]
        cells = [f"{statistics.median(took):.1f}" for took in turns.values()]
        compared = f"{statistics.median(ratios):.2f}" if WAYS[name][1] else ""
        yield f"| {NAMES[name]} | {' | '.join(cells)} | {compared} | {ready[name]:.0f} s |"


def measure(rows: pa.Table, model: bytes, folder: Path, rounds: int) -> Iterator[str]:
    """Starts all contestants, compares their answers and has them take turns."""
    write_forms(model, features_of(rows), len(covertype().class_names), folder)
    with ExitStack() as opened:
        ways = [opened.enter_context(started(name, python, folder)) for name, (python, _) in WAYS.items()]
        check_answers(folder)
        yield from table(side_by_side(ways, rounds), {way.name: way.ready_s for way in ways})


def main() -> None:
    """Runs the measurement and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, default=BESIDE if BESIDE.is_file() else None)
    parser.add_argument("--model", type=Path, help="a model's file, instead of training one")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if not BENTO_PYTHON.is_file():
        raise SystemExit("treelite has an environment of its own: `make .bench-venv/.bench` makes it.")
    rows = read_rows(options.rows) if options.rows else generate(100_000, seed=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or folder / "trained.onnx"
        if options.model is None:
            write_model(rows, model)
        print(*measure(rows, model.read_bytes(), folder, options.rounds), sep="\n")


if __name__ == "__main__":
    main()
