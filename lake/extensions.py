"""DuckDB's extensions from their Python packages, so that nothing is downloaded at run time."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import duckdb

from contracts.errors import ExtensionMissing

Config = dict[str, str | bool | int | float | list[str]]

NAMES = ("ducklake", "sqlite_scanner", "postgres_scanner", "httpfs")


@lru_cache(maxsize=1)
def extension_directory() -> Path:
    """A folder in DuckDB's own layout, with links to the signed binaries in the packages.

    It lies inside the Python environment, because it belongs to that environment's DuckDB.

    Raises: ExtensionMissing, naming the package to install.
    """
    directory = Path(sys.prefix) / "share" / "canopy" / "duckdb-extensions"
    folder = directory / f"v{duckdb.__version__}" / _platform()
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        link = folder / f"{name}.duckdb_extension"
        if not link.exists():
            with suppress(FileExistsError):  # another process was faster
                link.symlink_to(_binary(name))
    return directory


def connection_config() -> Config:
    """The configuration every DuckDB connection of Canopy starts with."""
    return {"extension_directory": str(extension_directory()), "autoinstall_known_extensions": "false"}


def checked_config(*names: str) -> Config:
    """As `connection_config`, for connections that load these extensions without checking them again.

    DuckDB hashes a whole binary at each LOAD, 0.2 s of processor time each: a process has it done once.

    Args:
        names: Extensions that the connections will load.

    Raises: ExtensionMissing if one is not there, or is not what its maker signed.
    """
    for name in names:
        _check_signature(name)
    return connection_config() | {"allow_unsigned_extensions": "true"}


@lru_cache
def _check_signature(name: str) -> None:
    with duckdb.connect(config=connection_config()) as connection:
        try:
            connection.execute(f"load {name}")
        except duckdb.Error as error:
            raise ExtensionMissing(name, duckdb.__version__) from error


def _platform() -> str:
    with duckdb.connect() as connection:
        row = connection.execute("pragma platform").fetchone()
    return str(row[0]) if row else ""


def _binary(name: str) -> Path:
    spec = find_spec(f"duckdb_extension_{name}")
    if spec and spec.origin:
        path = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path.is_file():
            return path
    raise ExtensionMissing(name, duckdb.__version__)
