"""A simulator and collectors as processes, and what may be said of bronze after some of them were killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import httpx

from lake.bronze.landings import RAW, ROWS, read_raw
from lake.objects import open_objects
from lake.settings import LakeSettings
from pipeline.verify.lake import verify

# A service that is slow, down and cut now and then, and rows of a size that keeps a kill short.
FAULTS = {
    "SIMULATOR_LATENCY_S": "0.01",
    "SIMULATOR_ERROR_SHARE": "0.1",
    "SIMULATOR_CUT_SHARE": "0.1",
    "SIMULATOR_SYNTHETIC_ROWS": "40000",
    "SIMULATOR_WINDOW_S": "3600",
}
PATIENCE = {
    "SOURCE_ATTEMPTS": "5",
    "SOURCE_FIRST_WAIT_S": "0",
    "SOURCE_LONGEST_WAIT_S": "0.01",
    "SOURCE_PACE_S": "0",
    "SOURCE_WINDOW_S": "3600",
    "SOURCE_TARGET_COVERAGE": "0.99999",
}


@dataclass(frozen=True)
class Place:
    """Where a crash is rehearsed.

    Attributes:
        home: Journal, ledger and incoming responses lie here.
        url: The simulator's address.
        lake: The lake that is written to.
        environment: What a collector runs with.
    """

    home: Path
    url: str
    lake: LakeSettings
    environment: dict[str, str]

    @property
    def folders(self) -> list[str]:
        """What a collector changes: the incoming responses, and the lake where it is a folder."""
        lake = [] if self.lake.is_s3 else [self.lake.root]
        return [str(self.home / "incoming"), *lake]

    def served(self) -> Counter[str]:
        """The sha256 of every response that was sent whole with a 200."""
        lines = map(json.loads, (self.home / "journal.jsonl").read_text().splitlines())
        return Counter(line["sha256"] for line in lines if not line["is_cut"])

    def received(self) -> set[str]:
        """The sha256 of every response that a collector has had whole."""
        ledger = self.home / "ledger"
        return set(ledger.read_text().split()) if ledger.exists() else set()

    def start(self, fatal: int = 0, requests: int = 3, name: str = "") -> subprocess.Popen[str]:
        """A collector that is ready to begin.

        Args:
            fatal: The change that it dies before; 0 for none.
            requests: How many it makes.
            name: Of the source; one of its own where empty, so that no rows are covered before it begins.
        """
        command = [sys.executable, "-m", "tests.source.collector", str(self.home / "ledger"), str(fatal)]
        process = subprocess.Popen(
            [*command, *self.folders],
            env=self.environment
            | {"SOURCE_REQUESTS_PER_WINDOW": str(requests), "SOURCE_NAME": name or f"run-{uuid4().hex}"},
            stdout=subprocess.PIPE,
            stderr=(self.home / "log.txt").open("a"),
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", (self.home / "log.txt").read_text()[-3000:]
        return process


@contextmanager
def simulating(home: Path, lake: LakeSettings, **settings: str) -> Iterator[Place]:
    """A simulator in a process of its own; it ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    files = {"SIMULATOR_STATE": f"{home}/state.json", "SIMULATOR_JOURNAL": f"{home}/journal.jsonl"}
    environment = os.environ | FAULTS | files | {"SIMULATOR_PORT": port} | settings
    with (home / "simulator.txt").open("w") as log:
        simulator = subprocess.Popen(
            [sys.executable, "-m", "source.simulator"], env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, simulator, home / "simulator.txt")
        yield Place(home, url, lake, _environment(home, url, lake))
    finally:
        simulator.terminate()
        simulator.wait(timeout=20)


def kill_at_change(place: Place, number: int) -> bool:
    """Whether a collector got as far as its n-th change, and was killed there."""
    with place.start(fatal=number) as process:
        process.communicate(timeout=60)
    assert process.returncode in (0, 1, -signal.SIGKILL), (place.home / "log.txt").read_text()[-3000:]
    return process.returncode == -signal.SIGKILL


def kill_after(place: Place, seconds: float) -> bool:
    """Whether a collector was still at work when it was killed."""
    with place.start() as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    return process.returncode == -signal.SIGKILL


def recover(place: Place) -> None:
    """One more run, that nobody kills."""
    with place.start(requests=1) as process:
        process.communicate(timeout=60)


def check(place: Place, kills: int) -> str:
    """Holds bronze against what was served and received. Returns: a line of figures."""
    objects = open_objects(place.lake)
    kept = {key: read_raw(objects, key) for key in objects.keys(RAW)}
    bodies = Counter(sha256(body).hexdigest() for body, _ in kept.values())
    served, received = place.served(), place.received()
    assert received <= served.keys()
    assert received <= bodies.keys(), "a response that was received is not in bronze"
    assert all(count == 1 for digest, count in bodies.items() if digest in served), "kept twice"
    landed = [key.rpartition("/")[2].removesuffix(".parquet") for key in objects.keys(ROWS)]
    whole = {raw.landing_id for body, raw in kept.values() if sha256(body).hexdigest() in served}
    assert sorted(landed) == sorted(whole), "what was kept whole is not what has landed"
    verified = verify(place.lake)
    assert verified.faults == (), verified.faults
    assert verified.unfinished == 0
    assert list((place.home / "incoming").glob("*.response")) == []
    # Sent by the service, and not yet read from the network when the process was killed: one a kill at most.
    on_the_way = served.keys() - bodies.keys()
    assert len(on_the_way) <= kills
    return (
        f"{kills} kills, {served.total()} responses sent whole, {len(received)} received, "
        f"{len(whole)} landed, {len(on_the_way)} on the way at a kill, "
        f"{len(kept) - len(whole)} beginnings kept"
    )


def _environment(home: Path, url: str, lake: LakeSettings) -> dict[str, str]:
    secret = lake.s3_secret_access_key
    store = {
        "LAKE_URI": lake.uri,
        "LAKE_CATALOG": lake.catalog,
        "LAKE_S3_ENDPOINT_URL": lake.s3_endpoint_url or "",
        "LAKE_S3_ACCESS_KEY_ID": lake.s3_access_key_id or "",
        "LAKE_S3_SECRET_ACCESS_KEY": secret.get_secret_value() if secret else "",
    }
    own = {"SOURCE_URL": url, "SOURCE_INCOMING": f"{home}/incoming"}
    return os.environ | PATIENCE | own | {name: value for name, value in store.items() if value}


def _wait(url: str, simulator: subprocess.Popen[bytes], log: Path) -> None:
    while simulator.poll() is None:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(log.read_text()[-3000:])
