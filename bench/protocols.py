"""What the product's own HTTP protocol costs and brings: `python -m bench.protocols`.

Canopy and a constant from FastAPI, each behind the product's protocol and behind uvicorn's own, all up and
asked as in bench.serving, in many short turns: what else goes on in the machine meets all of them. Replies
are compared with those of the constant, processor time with Canopy's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
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
FIRST, SAME, *_, CANOPY = BEHIND


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
    yield "| | replies/s | times the constant | with the same settings | µs of processor | times Canopy's |"
    yield "|---|---|---|---|---|---|"
    for name, turns in found.items():
        cells = [f"{statistics.median(turn.rate for turn in turns):,.0f}"]
        for other in (FIRST, SAME):
            ratios = [mine.rate / its.rate for mine, its in zip(turns, found[other], strict=True)]
            cells.append(_spread(ratios, ".2f"))
        cells.append(_spread([turn.us for turn in turns], ".0f"))
        shares = [mine.us / its.us for mine, its in zip(turns, found[CANOPY], strict=True)]
        cells.append(_spread(shares, ".2f"))
        yield f"| {name} | {' | '.join(cells)} |"


def _spread(values: Sequence[float], form: str) -> str:
    """Returns the median and, in brackets, the quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}} ({low:{form}}-{high:{form}})"


def main() -> None:
    """Runs the measurement and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, default=BESIDE if BESIDE.is_file() else None)
    parser.add_argument("--model", type=Path, help="a model's file, instead of training one")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    rows = read_rows(options.rows) if options.rows else generate(50_000, seed=1)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    found: dict[str, list[Turn]] = {name: [] for name in BEHIND}
    with tempfile.TemporaryDirectory() as name, ExitStack() as up:
        folder = Path(name)
        model = options.model or folder / "model.onnx"
        if options.model is None:
            write_model(rows, model)
        sent = features_of(rows).slice(0, SENT_ROWS).to_pylist()
        servers = {
            one: up.enter_context(started(one, model, Path(up.enter_context(tempfile.TemporaryDirectory()))))
            for one in BEHIND
        }
        for server in servers.values():
            load(server, [server.body(row) for row in sent], WARM_S, folder)
        for turn in range(options.rounds):
            for one, server in servers.items() if turn % 2 == 0 else reversed(servers.items()):
                found[one].append(take_turn(server, sent, options.seconds, folder))
        print(*table(found), sep="\n")


if __name__ == "__main__":
    main()
