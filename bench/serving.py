"""The prediction service against what a user would pick instead: `python -m bench.serving`.

One session, one model, the same real rows, eight connections that each send one row at a time, by wrk on the
same two processors. Every contestant is one process:

- a constant: FastAPI answers a constant without looking at the request.
- Canopy: key check, rate limit, validation, flags, metrics and the log of predictions are on.
- `mlflow models serve` of the same model.
- BentoML with ONNX Runtime and the same model, in an environment of its own (`make .bench-venv/.bench`).

Then files of all rows to Canopy, and its memory while it answers 200,000 requests more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from bench.servers.model import write_model
from bench.servers.running import Server, bento, canopy, constant, mlflow_server
from contracts.covertype import covertype
from source.simulator.rows import read_rows
from source.simulator.synthetic import generate

ROOT = Path(__file__).parents[1]
BESIDE = ROOT.parent / "shared" / "data" / "covertype.parquet"
CONNECTIONS, SENT_ROWS = 8, 5_000
ROUNDS, SECONDS, WARM_S = 3, 10, 3
MEMORY_REQUESTS = 200_000
# wrk's own report, in Lua: microseconds.
REPORT = """
done = function(summary, latency, requests)
  io.write(string.format('{"requests": %d, "us": %d, "p50": %d, "p99": %d, "failed": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What eight connections saw.

    Attributes:
        rate: Replies a second.
        p50_ms: Median latency.
        p99_ms: 99th percentile.
        failed: Requests that were not answered with a success.
        requests: How many there were.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    failed: int
    requests: int


def load(server: Server, bodies: Sequence[str], seconds: float, folder: Path) -> Load:
    """Asks a server for so long, each connection one row at a time."""
    script = folder / "load.lua"
    quoted = ",\n".join(json.dumps(body) for body in bodies)
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in server.headers.items())
    script.write_text(
        f'wrk.method = "POST"\n{headers}\nlocal bodies = {{{quoted}}}\nlocal at = 0\n'
        "request = function()\n  at = at % #bodies + 1\n"
        f'  return wrk.format(nil, "{server.path}", nil, bodies[at])\nend\n'
        f"{REPORT}"
    )
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds:g}s",
        "--latency",
        "-s",
        str(script),
        server.url,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    found = re.search(r"\{\"requests.*\}", said)
    if found is None:
        raise SystemExit(f"wrk said nothing of {server.name}: {said}")
    told = json.loads(found[0])
    return Load(
        told["requests"] / told["us"] * 1e6,
        told["p50"] / 1e3,
        told["p99"] / 1e3,
        told["failed"],
        told["requests"],
    )


def side_by_side(
    servers: Sequence[Server], rows: Sequence[dict[str, Any]], folder: Path
) -> dict[str, list[Load]]:
    """Loads one server after the other, in rounds: what the machine does meanwhile meets all of them."""
    found: dict[str, list[Load]] = {server.name: [] for server in servers}
    for server in servers:
        load(server, [server.body(row) for row in rows], WARM_S, folder)
    for _ in range(ROUNDS):
        for server in servers:
            seen = load(server, [server.body(row) for row in rows], SECONDS, folder)
            if seen.failed:
                raise SystemExit(f"{server.name} failed {seen.failed} of {seen.requests} requests.")
            found[server.name].append(seen)
    return found


def table(found: Mapping[str, Sequence[Load]], base: str) -> Iterator[str]:
    """Yields the lines of the report: medians of the rounds, and the median of the rounds' ratios."""
    yield "| | replies/s | p50 | p99 | times the constant |"
    yield "|---|---|---|---|---|"
    for name, loads in found.items():
        ratios = [mine.rate / other.rate for mine, other in zip(loads, found[base], strict=True)]
        rate, p50, p99 = (
            statistics.median(getattr(one, field) for one in loads) for field in ("rate", "p50_ms", "p99_ms")
        )
        yield f"| {name} | {rate:,.0f} | {p50:.2f} ms | {p99:.2f} ms | {statistics.median(ratios):.3g} |"


def files(server: Server, rows: pa.Table, folder: Path) -> Iterator[str]:
    """Yields rows a second of files with all rows, as Parquet and as CSV; the best of three each."""
    import pyarrow.csv as pa_csv

    pq.write_table(rows, folder / "rows.parquet")
    pa_csv.write_csv(rows, folder / "rows.csv")
    kinds = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv"}
    yield "| file | rows | seconds | rows/s |"
    yield "|---|---|---|---|"
    with httpx.Client(timeout=600) as client:
        for ending, kind in kinds.items():
            content = (folder / f"rows.{ending}").read_bytes()
            headers = {**server.headers, "Content-Type": kind}
            taken = [_ask_file(client, server, content, headers) for _ in range(4)][
                1:
            ]  # the first opens the graph
            best = min(taken)
            yield f"| {ending} | {rows.num_rows:,} | {best:.2f} | {rows.num_rows / best:,.0f} |"


def _ask_file(client: httpx.Client, server: Server, content: bytes, headers: Mapping[str, str]) -> float:
    began = time.perf_counter()
    answer = client.post(f"{server.url}{server.path}:batch", content=content, headers=dict(headers))
    answer.raise_for_status()
    return time.perf_counter() - began


def memory(server: Server, bodies: Sequence[str], folder: Path) -> Iterator[str]:
    """Yields resident memory of the service, while it answers many requests."""
    process = psutil.Process(server.pid)
    asked = 0
    yield "| requests answered | memory |"
    yield "|---|---|"
    while asked < MEMORY_REQUESTS:
        yield f"| {asked:,} | {process.memory_info().rss / 2**20:,.0f} MiB |"
        asked += load(server, bodies, SECONDS, folder).requests
    yield f"| {asked:,} | {process.memory_info().rss / 2**20:,.0f} MiB |"


def features_of(rows: pa.Table) -> pa.Table:
    """Returns the twelve features with the contract's names and types."""
    columns = {}
    for column in covertype().features:
        values = rows[column.source_name]
        columns[column.name] = values.cast(pa.int64()) if column.kind == "integer" else values
    return pa.table(columns)


@contextmanager
def contestants(model: Path, folder: Path, *, alone: bool) -> Iterator[list[Server]]:
    """Yields all servers, up."""
    with constant(folder) as nothing, canopy(model, folder) as mine:
        if alone:
            yield [nothing, mine]
            return
        with mlflow_server(model, folder) as theirs, bento(model, folder) as other:
            yield [nothing, mine, theirs, other]


def main() -> None:
    """Runs the measurement and prints its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, default=BESIDE if BESIDE.is_file() else None)
    parser.add_argument("--model", type=Path, help="a model's file, instead of training one")
    parser.add_argument("--alone", action="store_true", help="only the constant and Canopy")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("This needs wrk: install the package wrk of Debian or Ubuntu.")
    rows = read_rows(options.rows) if options.rows else generate(50_000, seed=1)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or folder / "model.onnx"
        if options.model is None:
            write_model(rows, model)
        features = features_of(rows)
        sent = features.slice(0, SENT_ROWS).to_pylist()
        with contestants(model, folder, alone=options.alone) as servers:
            print(*table(side_by_side(servers, sent, folder), servers[0].name), "", sep="\n")
            mine = servers[1]
            print(*files(mine, features, folder), "", sep="\n")
            print(*memory(mine, [mine.body(row) for row in sent], folder), sep="\n")


if __name__ == "__main__":
    main()
