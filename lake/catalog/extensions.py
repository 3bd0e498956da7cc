"""DuckDB's extensions from their Python packages, so that nothing is downloaded at run time."""

from __future__ import annotations

import errno
import os
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
    """Returns a folder in DuckDB's own layout, with links to the signed binaries in the packages.

    It lies inside the Python environment, because it belongs to that environment's DuckDB; in the person's
    cache where the environment is another's and has none yet.

    Raises: ExtensionMissing, naming the package to install; OSError.
    """
    try:
        return _linked(Path(sys.prefix) / "share" / "canopy" / "duckdb-extensions")
    except OSError:
        return _linked(_cache() / "canopy" / "duckdb-extensions")


def _linked(directory: Path) -> Path:
    folder = directory / f"v{duckdb.__version__}" / _platform()
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        # The environment is for whoever may run it; what is private is the home.
        for made in (folder, folder.parent, directory, directory.parent):
            made.chmod(0o755)
    for name in NAMES:
        link = folder / f"{name}.duckdb_extension"
        if not link.exists():
            if link.is_symlink() and not link.exists():
                link.unlink()  # of an environment that has moved
            with suppress(FileExistsError):  # another process was faster
                link.symlink_to(_binary(name))
    return directory


def _cache() -> Path:
    """Returns where a person keeps what can be made again. Raises: OSError where an account has no such
    place."""
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache)
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:
        raise PermissionError(errno.EACCES, f"{error} Set HOME", sys.prefix) from None


def connection_config() -> Config:
    """Returns the configuration every DuckDB connection of Canopy starts with."""
    return {"extension_directory": str(extension_directory()), "autoinstall_known_extensions": "false"}


def checked_config(*names: str) -> Config:
    """Returns `connection_config` for connections that `load` these extensions without checking them again.

    DuckDB hashes a whole binary at each LOAD, 0.2 s of processor time each: a process has it done once.

    Args:
        names: Extensions that the connections will load.

    Raises: ExtensionMissing if one is not there, or is not what its maker signed.
    """
    for name in names:
        _check_signature(name)
    return connection_config() | {"allow_unsigned_extensions": "true"}


def load(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Loads what was checked by `checked_config`, and from then on only what its maker signed."""
    for name in names:
        connection.execute(f"load {name}")
    connection.execute("set allow_unsigned_extensions = false")


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
