"""The file in which MLflow is told of its accounts, on this machine and in its container."""

from __future__ import annotations

from pathlib import Path

from contracts.private_file import write_private


def write_accounts_settings(file: Path, database: str) -> None:
    """Writes what MLflow reads of its accounts from a file only; in there a `%` begins a reference."""
    place = database.replace("%", "%%")
    lines = ("default_permission = READ", f"database_uri = {place}", "auth_cache_ttl_seconds = 60")
    write_private(file, "\n".join(["[mlflow]", *lines, ""]))
