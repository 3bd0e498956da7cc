"""DuckDB's own shell, with the lake attached read-only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import duckdb

from contracts.errors import ShellMissing
from lake.catalog.connection import attach_statement, connect, secrets
from lake.catalog.copy import copy_to_read, remove
from lake.catalog.extensions import extension_directory
from lake.read.query import State, state_to_read
from lake.read.reached import looks_names_up, ports, with_addresses
from lake.settings import LakeSettings

START = "import sys; sys.path[:] = {path!r}; from lake.read.confined_shell import main; main(sys.argv[1])"
KEPT = (
    *("PATH", "HOME", "USER", "SHELL", "TERM", "COLORTERM", "COLUMNS", "LINES", "LANG", "TZ"),
    *("PAGER", "LESS"),
)


def open_shell(
    history: Path, *, head: bool = False, at: str | None = None, lake: LakeSettings | None = None
) -> int:
    """Runs DuckDB's shell until it is left.

    It runs where it can write nothing but its history, and connect to nothing but the store and the catalog.
    What the shell begins with comes through a pipe: the store's keys are on no command line and in no file.

    Args:
        history: The file that keeps what was typed.
        head: Read the newest snapshot instead of the published one.
        at: Read this snapshot, or what was published at this time (see `lake.catalog.travel`).
        lake: Where the lake is.

    Returns: The shell's exit status.
    Raises: NothingPublished; SnapshotMissing; CatalogUnusable; ShellMissing.
    """
    settings, program = lake or LakeSettings(), shell_program()
    state = state_to_read(settings, head=head, at=at)
    connect(settings, snapshot_id=state.snapshot_id).close()  # what cannot be read is said before it opens
    history.parent.mkdir(parents=True, exist_ok=True)
    history.touch(mode=0o600)
    copied, copy = copy_to_read(settings)
    try:
        return _run(program, _first_commands(with_addresses(copied), state), history, settings)
    finally:
        remove(copy)


def _run(program: Path, first_commands: str, history: Path, lake: LakeSettings) -> int:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as commands:
        commands.write(first_commands)
    before = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the shell's: it ends its query
    arguments = ["-init", f"/dev/fd/{reading}"]
    told = {
        "program": str(program),
        "arguments": arguments,
        "history": str(history.absolute()),
        "ports": ports(lake),
        "resolves_names": looks_names_up(lake),
    }
    try:
        return subprocess.run(
            [sys.executable, "-c", START.format(path=sys.path), json.dumps(told)],
            env=_environment() | {"DUCKDB_HISTORY": str(history.absolute())},
            pass_fds=[reading],
        ).returncode
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(reading)


def _environment() -> dict[str, str]:
    """Returns what the shell and its pager need of this process's environment, which holds secrets."""
    return {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("LC_")}


def shell_program() -> Path:
    """Returns DuckDB's command line out of its package, in the version of the library.

    Raises: ShellMissing.
    """
    spec = find_spec("duckdb_cli")
    program = Path(spec.origin).parent / "duckdb" if spec and spec.origin else None
    if program is None or not os.access(program, os.X_OK) or _cli_version() != duckdb.__version__:
        raise ShellMissing(duckdb.__version__)
    return program


def _cli_version() -> str | None:
    try:
        return version("duckdb-cli")
    except PackageNotFoundError:
        return None


def _first_commands(settings: LakeSettings, state: State) -> str:
    directory = str(extension_directory()).replace("'", "''")
    statements = [
        f"set extension_directory = '{directory}'",
        "set autoinstall_known_extensions = false",
        f"set memory_limit = '{settings.memory_limit}'",
        f"set threads = {settings.threads}",
        "set temp_directory = ''",  # it may write nothing
        "set timezone = 'UTC'",
        *secrets(settings),
        attach_statement(settings, snapshot_id=state.snapshot_id),
        "use lake",
    ]
    commands = [
        ".startup_text none",
        ".highlight_mode mixed",  # else it asks the terminal for its colours, and waits 5 s for an answer
        *(f"{statement};" for statement in statements),
        f".print 'You read {state.description}. Tab completes, .help tells more, .quit leaves.'",
    ]
    return "\n".join(commands) + "\n"
