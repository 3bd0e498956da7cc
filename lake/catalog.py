"""The DuckLake catalog, attached as `lake` to a DuckDB connection."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import duckdb

from contracts.errors import CatalogUnusable, NothingPublished
from lake.catalog_copy import copy_catalog, remove, remove_after
from lake.extensions import Config, checked_config
from lake.settings import LakeSettings

TABLES = "ducklake"  # the folder below the lake's URI that DuckLake writes its Parquet to


def connect(
    settings: LakeSettings, *, snapshot_id: int | None = None, write: bool = False
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the lake attached and in use: `from gold.training_set` works.

    A reader of a SQLite catalog sees the lake as it was when it connected (see `lake.catalog_copy`).

    Args:
        settings: Where the lake is.
        snapshot_id: Pins a reader to this snapshot, whatever is written meanwhile.
        write: Whether this connection may write; it also creates a catalog that is not there yet.

    Raises: NothingPublished if a reader finds no catalog; CatalogUnusable; ExtensionMissing.
    """
    prepare_catalog(settings, write=write)
    if write:
        return _attached(settings, attach_statement(settings, snapshot_id=snapshot_id, write=True))
    copied, copy = copy_to_read(settings)
    try:
        connection = _attached(copied, attach_statement(copied, snapshot_id=snapshot_id))
    except BaseException:
        remove(copy)
        raise
    remove_after(connection, copy)
    return connection


def copy_to_read(settings: LakeSettings) -> tuple[LakeSettings, Path | None]:
    """The settings of a reader: with a copy of a SQLite catalog, which is the reader's to remove.

    Raises: CatalogUnusable.
    """
    if settings.catalog_kind != "sqlite":
        return settings, None
    try:
        copy = copy_catalog(Path(settings.catalog_target))
    except sqlite3.Error as error:
        raise CatalogUnusable(settings.catalog_target, f"{error}.") from None
    return settings.model_copy(update={"catalog": f"sqlite:{copy}"}), copy


def _attached(settings: LakeSettings, attach: str) -> duckdb.DuckDBPyConnection:
    limits: Config = {"threads": settings.threads, "memory_limit": settings.memory_limit}
    extensions = ("ducklake", f"{settings.catalog_kind}_scanner", *(["httpfs"] if settings.is_s3 else []))
    connection = duckdb.connect(config=checked_config(*extensions) | limits)
    connection.execute("set timezone = 'UTC'")
    for statement in s3_secret(settings):
        connection.execute(statement)
    try:
        connection.execute(attach)
    except duckdb.Error as error:
        connection.close()
        raise _unusable(settings, error) from None  # DuckDB's words may hold a password
    connection.execute("use lake")
    return connection


def _unusable(settings: LakeSettings, error: duckdb.Error) -> CatalogUnusable:
    shown = settings.catalog_target if settings.catalog_kind == "sqlite" else "in PostgreSQL"
    reason = " ".join(str(error).split()).replace(settings.catalog_target, shown)
    return CatalogUnusable(shown, reason)


def current_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest snapshot that this connection sees."""
    row = connection.execute("select max(snapshot_id) from lake.snapshots()").fetchone()
    return int(row[0]) if row else 0


def prepare_catalog(settings: LakeSettings, *, write: bool) -> None:
    """Makes the SQLite catalog's file, in WAL mode so that readers and the writer never block each other.

    It appears whole: a reader finds either no catalog or one that answers.

    Raises: NothingPublished if it is not there and must not be made.
    """
    if settings.catalog_kind != "sqlite" or Path(settings.catalog_target).exists():
        return
    if not write:
        raise NothingPublished(f"The lake has no catalog at {settings.catalog_target} yet")
    target = Path(settings.catalog_target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not settings.is_s3:
        Path(settings.root, TABLES).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        made = Path(folder, target.name)
        with sqlite3.connect(made) as file:
            file.execute("pragma journal_mode = wal")
        file.close()
        catalog = settings.model_copy(update={"catalog": f"sqlite:{made}"})
        _attached(catalog, attach_statement(catalog, write=True)).close()
        with suppress(FileExistsError):  # another writer was faster
            os.link(made, target)


def attach_statement(settings: LakeSettings, *, snapshot_id: int | None = None, write: bool = False) -> str:
    """The ATTACH statement of this lake."""
    # Without inlining every row lies in Parquet, and a column may be called row_id.
    options = [f"data_path '{settings.root}/{TABLES}/'", "data_inlining_row_limit 0"]
    if not write:
        options.append("read_only")
    if snapshot_id is not None:
        options.append(f"snapshot_version {int(snapshot_id)}")
    target = settings.catalog_target.replace("'", "''")
    return f"attach 'ducklake:{settings.catalog_kind}:{target}' as lake ({', '.join(options)})"


def s3_secret(settings: LakeSettings) -> list[str]:
    """The statements that give DuckDB the store's keys; none for a folder."""
    if not settings.is_s3:
        return []
    options = [f"region '{settings.s3_region}'"]
    if settings.s3_access_key_id and settings.s3_secret_access_key:
        secret = settings.s3_secret_access_key.get_secret_value().replace("'", "''")
        options += [f"key_id '{settings.s3_access_key_id}'", f"secret '{secret}'"]
    if settings.s3_endpoint_url:
        address = urlsplit(settings.s3_endpoint_url)
        use_ssl = str(address.scheme == "https").lower()
        options += [f"endpoint '{address.netloc}'", "url_style 'path'", f"use_ssl {use_ssl}"]
    return ["load httpfs", f"create or replace secret lake_store (type s3, {', '.join(options)})"]
