"""The DuckLake catalog, attached as `lake` to a DuckDB connection."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import duckdb

from contracts.errors import CatalogUnusable, NothingPublished
from lake.catalog.copy import copy_to_read, has_catalog, remove, remove_after
from lake.catalog.extensions import checked_config, load
from lake.catalog.spill import spill_folder
from lake.catalog.tables import quoted
from lake.settings import LakeSettings

NUMBERS = re.compile(r"[\d,]*")  # several hosts may have a port each
CATALOG_SECRET = "lake_catalog"  # noqa: S105 - its name
# PostgreSQL's words for what DuckDB keeps as a secret, and DuckDB's.
IN_SECRET = {"host": "host", "port": "port", "dbname": "database", "user": "user", "password": "password"}
POSTGRES_PORT, REACHED_WITHIN_S = "5432", 5.0
TABLES = "ducklake"  # the folder below the lake's URI that DuckLake writes its Parquet to


def connect(
    settings: LakeSettings, *, snapshot_id: int | None = None, write: bool = False
) -> duckdb.DuckDBPyConnection:
    """Returns a DuckDB connection with the lake attached and in use: `from gold.training_set` works.

    A reader of a SQLite catalog sees the lake as it was when it connected (see `lake.catalog.copy`).

    Args:
        settings: Where the lake is.
        snapshot_id: Pins a reader to this snapshot, whatever is written meanwhile.
        write: Whether this connection may write; it also creates a catalog that is not there yet.

    Raises: NothingPublished if a reader finds no catalog; CatalogUnusable; ExtensionMissing.
    """
    prepare_catalog(settings, write=write)
    spilled = spill_folder(settings)
    if write:
        return _attached(settings, attach_statement(settings, snapshot_id=snapshot_id, write=True), spilled)
    copied, copy = copy_to_read(settings)
    try:
        connection = _attached(copied, attach_statement(copied, snapshot_id=snapshot_id), spilled)
    except BaseException:
        remove(copy)
        raise
    remove_after(connection, copy)
    return connection


def _attached(settings: LakeSettings, attach: str, spilled: str) -> duckdb.DuckDBPyConnection:
    extensions = ("ducklake", f"{settings.catalog_kind}_scanner", *(["httpfs"] if settings.is_s3 else []))
    connection = duckdb.connect(config=checked_config(*extensions) | {"temp_directory": spilled})
    load(connection, *extensions)
    try:
        attach_to(connection, settings, attach)
    except BaseException:
        connection.close()
        raise
    return connection


def attach_to(connection: duckdb.DuckDBPyConnection, settings: LakeSettings, attach: str) -> None:
    """Attaches the lake by this statement to a connection that has its extensions, and uses it.

    Raises: CatalogUnusable.
    """
    connection.execute(f"set threads = {settings.threads}")
    connection.execute(f"set memory_limit = {quoted(settings.memory_limit)}")
    connection.execute("set timezone = 'UTC'")
    # A process without a file of its own counts as a terminal: what takes 2 s would begin with a bar.
    connection.execute("set enable_progress_bar = false")
    try:
        for statement in (*secrets(settings), attach):
            connection.execute(statement)
    except duckdb.Error as error:
        raise _unusable(settings, error) from None  # DuckDB's words may hold a password
    connection.execute("use lake")


def _unusable(settings: LakeSettings, error: duckdb.Error) -> CatalogUnusable:
    shown = settings.catalog_target if settings.catalog_kind == "sqlite" else "in PostgreSQL"
    reason = " ".join(str(error).split()).replace(settings.catalog_target, shown)
    if settings.catalog_kind == "sqlite":
        return CatalogUnusable(shown, reason)
    if unreached := _unreached(settings.catalog_target):
        reason = f"the database at {unreached}."
        return CatalogUnusable(shown, reason, "Start it, or correct its host and port in LAKE_CATALOG.")
    remedy = (
        "Check LAKE_CATALOG and LAKE_URI, the file of passwords (PGPASSFILE), and what this account may do "
        "in the database."
    )
    return CatalogUnusable(shown, reason, remedy)


def _unreached(target: str) -> str | None:
    """Returns which database takes no connection, and why; None where one does, or where none is named.

    The system is asked: of a connection that failed, libpq has the reason in its words alone.
    """
    from psycopg2.extensions import parse_dsn

    given = {name: str(value).split(",") for name, value in parse_dsn(target).items()}
    hosts, ports, failures = given.get("host", []), given.get("port", [POSTGRES_PORT]), list[str]()
    addresses = given.get("hostaddr", hosts)
    for number, (host, address) in enumerate(zip(hosts, addresses, strict=False)):
        port = ports[number % len(ports)]
        try:
            _reach(address, port)
        except OSError as error:
            place = host if host.startswith("/") else f"{host}, port {port},"
            failures.append(f"{place} does not answer ({error.strerror or error})")
        else:
            return None
    return failures[0] if failures else None


def _reach(host: str, port: str) -> None:
    """Connects, and says nothing. Raises: OSError."""
    if not host.startswith("/"):
        socket.create_connection((host, int(port or POSTGRES_PORT)), REACHED_WITHIN_S).close()
        return
    with socket.socket(socket.AF_UNIX) as local:
        local.connect(f"{host}/.s.PGSQL.{port or POSTGRES_PORT}")


def current_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """Returns the newest snapshot that this connection sees."""
    row = connection.execute("select max(snapshot_id) from lake.snapshots()").fetchone()
    return int(row[0]) if row else 0


def prepare_catalog(settings: LakeSettings, *, write: bool) -> None:
    """Makes the SQLite catalog's file, in WAL mode so that readers and the writer never block each other.

    It appears whole: a reader finds either no catalog or one that answers.

    Raises: NothingPublished if it is not there and must not be made; CatalogUnusable.
    """
    if settings.catalog_kind != "sqlite" or has_catalog(settings):
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
        _attached(catalog, attach_statement(catalog, write=True), spill_folder(settings)).close()
        with suppress(FileExistsError):  # another writer was faster
            os.link(made, target)


def attach_statement(settings: LakeSettings, *, snapshot_id: int | None = None, write: bool = False) -> str:
    """Returns the ATTACH statement of this lake, after `secrets`: it shows no password."""
    # Without inlining every row lies in Parquet, and a column may be called row_id.
    options = [f"data_path {quoted(f'{settings.root}/{TABLES}/')}", "data_inlining_row_limit 0"]
    target = settings.catalog_target
    if settings.catalog_kind == "postgres":
        target = _connection(settings)[1]
        options.append(f"meta_secret '{CATALOG_SECRET}'")
    if not write:
        options.append("read_only")
    if snapshot_id is not None:
        options.append(f"snapshot_version {int(snapshot_id)}")
    path = quoted(f"ducklake:{settings.catalog_kind}:{target}")
    return f"attach {path} as lake ({', '.join(options)})"


def secrets(settings: LakeSettings) -> list[str]:
    """Returns the statements that give DuckDB the keys of the store and of the catalog; a folder has none."""
    return [*s3_secret(settings), *_catalog_secret(settings)]


def s3_secret(settings: LakeSettings) -> list[str]:
    """Returns the statements that give DuckDB the store's keys; none for a folder."""
    if not settings.is_s3:
        return []
    options = [f"region {quoted(settings.s3_region)}"]
    if settings.s3_access_key_id and settings.s3_secret_access_key:
        secret = settings.s3_secret_access_key.get_secret_value()
        options += [f"key_id {quoted(settings.s3_access_key_id)}", f"secret {quoted(secret)}"]
    if settings.s3_endpoint_url:
        address = urlsplit(settings.s3_endpoint_url)
        use_ssl = str(address.scheme == "https").lower()
        options += [f"endpoint {quoted(address.netloc)}", "url_style 'path'", f"use_ssl {use_ssl}"]
    return ["load httpfs", f"create or replace secret lake_store (type s3, {', '.join(options)})"]


def _catalog_secret(settings: LakeSettings) -> list[str]:
    if settings.catalog_kind != "postgres":
        return []
    options = "".join(f", {name} {quoted(value)}" for name, value in _connection(settings)[0].items())
    return ["load postgres_scanner", f"create or replace secret {CATALOG_SECRET} (type postgres{options})"]


def _connection(settings: LakeSettings) -> tuple[dict[str, str], str]:
    """Returns a connection string of PostgreSQL: what DuckDB's secret takes, and the rest as a string
    again."""
    import psycopg2  # a lake of one machine does not need it
    from psycopg2.extensions import make_dsn, parse_dsn

    try:
        parsed = parse_dsn(settings.catalog_target)
    except psycopg2.ProgrammingError:  # its words may hold a password
        raise CatalogUnusable(
            "in PostgreSQL",
            "what follows postgres: in LAKE_CATALOG is no connection string.",
            "Write it as libpq takes it, such as postgres:host=… dbname=… user=….",
        ) from None
    # A password with such a letter in it was split there, and everybody's words would quote its half.
    if "@" in str(parsed.get("host", "")) or not NUMBERS.fullmatch(str(parsed.get("port", ""))):
        raise CatalogUnusable(
            "in PostgreSQL",
            "host or port in LAKE_CATALOG is none.",
            "In an address / @ # of a password are written %2F %40 %23; better, PGPASSFILE names its file.",
        )
    secret = {name: str(parsed.pop(key)) for key, name in IN_SECRET.items() if key in parsed}
    return secret, make_dsn(**parsed) if parsed else ""
