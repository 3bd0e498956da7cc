"""A PostgreSQL server of a test's own, with the binaries that this machine has."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

ACCOUNT = "postgres"  # the server refuses to run as root
READY_WITHIN_S = 60


def postgres_binaries() -> Path | None:
    """Where `initdb` and `postgres` lie; None where they are not installed."""
    beside = [Path(found).parent for found in [shutil.which("initdb")] if found]
    found = [*beside, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return next((folder for folder in found if (folder / "initdb").exists()), None)


@contextmanager
def postgres_service(binaries: Path, password: str) -> Iterator[int]:
    """A server at 127.0.0.1 in which `postgres` signs in with this password; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="canopy-postgres-") as name:
        folder, account = Path(name), {"user": ACCOUNT, "group": ACCOUNT} if os.geteuid() == 0 else {}
        (folder / "password").write_text(password)
        if account:
            for path in (folder, folder / "password"):
                shutil.chown(path, ACCOUNT, ACCOUNT)
        made = ["--username", "postgres", "--pwfile", str(folder / "password"), "--auth", "scram-sha-256"]
        command = [
            binaries / "initdb",
            "--pgdata",
            folder / "data",
            *made,
            "--no-sync",
            "--no-locale",
            "-E",
            "UTF8",
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **account)  # type: ignore[call-overload]
        options = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        command = [binaries / "postgres", "-D", folder / "data", *(f"--{option}" for option in options)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **account)  # type: ignore[call-overload]
        try:
            _wait(server, port, password, folder / "log")
            yield port
        finally:
            server.send_signal(signal.SIGINT)  # it waits for no client
            server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes], port: int, password: str, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg2.connect(host="127.0.0.1", port=port, user="postgres", password=password).close()
        except psycopg2.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not come up:\n{log.read_text()[-2000:]}")
