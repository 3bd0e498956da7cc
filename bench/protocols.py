"""What the product's own HTTP protocol costs and brings: `python -m bench.protocols`.

Canopy and a constant from FastAPI, each behind the product's protocol and behind uvicorn's own, one server up
at a time and by turns, asked as in bench.serving. The constant with uvicorn's defaults is what all are
compared with; the processor time of the server is told too, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.servers.model import write_model
from bench.servers.running import Server, canopy, constant
from bench.serving import BESIDE, SENT_ROWS, WARM_S, features_of, load
from source.simulator.rows import read_rows
from source.simulator.synthetic import generate

# Which application behind which protocol (bench/servers/protocol.py); the first as uvicorn starts it.
BEHIND = {
    "a constant, uvicorn's defaults": None,
    "a constant, Canopy's settings": ("constant", "uvicorn"),
    "a constant, Canopy's protocol": ("constant", "ours"),
    "Canopy, uvicorn's protocol": ("canopy", "uvicorn"),
    "Canopy, head and body apart": ("canopy", "apart"),
    "**Canopy**": ("canopy", "ours"),
}
FIRST = next(iter(BEHIND))
SAME = list(BEHIND)[1]


@dataclass(frozen=True)
class Turn:
    """One turn of one server.

    Attributes:
        rate: Replies a second.
        us: Microseconds of its processor a reply.
    """

    rate: float
    us: float


def started(name: str, model: Path, folder: Path) -> AbstractContextManager[Server]:
    """Returns one of the servers, up."""
    behind = BEHIND[name]
    if behind is None:
        return constant(folder)
    command = [sys.executable, "-m", "bench.servers.protocol", *behind]
    return canopy(model, folder, command=command) if behind[0] == "canopy" else constant(folder, command)


def take_turn(server: Server, rows: Sequence[Mapping[str, Any]], seconds: float, folder: Path) -> Turn:
    """Asks a server for a while."""
    bodies = [server.body(row) for row in rows]
    load(server, bodies, WARM_S, folder)
    process = psutil.Process(server.pid)
    before = process.cpu_times()
    seen = load(server, bodies, seconds, folder)
    after = process.cpu_times()
    if seen.failed:
        raise SystemExit(f"{server.name} failed {seen.failed} of {seen.requests} requests.")
    return Turn(seen.rate, (after.user + after.system - before.user - before.system) / seen.requests * 1e6)


def table(found: Mapping[str, Sequence[Turn]]) -> Iterator[str]:
    """Yields the lines of the report: medians of the turns, of their ratios to the two constants, and the
    spread."""
    yield "| | replies/s | times the constant | with the same settings | µs of processor a reply |"
    yield "|---|---|---|---|---|"
    for name, turns in found.items():
        cells = [f"{statistics.median(turn.rate for turn in turns):,.0f}"]
        for other in (FIRST, SAME):
            ratios = [mine.rate / its.rate for mine, its in zip(turns, found[other], strict=True)]
            cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
        us = [turn.us for turn in turns]
        cells.append(f"{statistics.median(us):.0f} ({min(us):.0f}-{max(us):.0f})")
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Runs the measurement and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, default=BESIDE if BESIDE.is_file() else None)
    parser.add_argument("--model", type=Path, help="a model's file, instead of training one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    rows = read_rows(options.rows) if options.rows else generate(50_000, seed=1)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    found: dict[str, list[Turn]] = {name: [] for name in BEHIND}
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or Path(folder) / "model.onnx"
        if options.model is None:
            write_model(rows, model)
        sent = features_of(rows).slice(0, SENT_ROWS).to_pylist()
        for turn in range(options.rounds):
            for name in BEHIND if turn % 2 == 0 else reversed(BEHIND):
                with tempfile.TemporaryDirectory() as home, started(name, model, Path(home)) as server:
                    found[name].append(take_turn(server, sent, options.seconds, Path(home)))
        print(*table(found), sep="\n")


if __name__ == "__main__":
    main()
