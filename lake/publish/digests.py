"""What each file of the tables was when it was written: its SHA-256, kept apart from it in the catalog.

A table of the catalog's own database holds them, which is no table of the lake and so no Parquet file: who
can write to the store only cannot write there. DuckLake numbers files as it commits them: what has a higher
number than the last one recorded is new, and recorded next; what has a lower one and no record is at fault.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from contracts.errors import FilesChanged, ObjectMissing, TablesDamaged
from lake.catalog.connection import TABLES
from lake.catalog.tables import reading
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings

logger = logging.getLogger(__name__)

METADATA = "__ducklake_metadata_lake"  # DuckLake's name for its catalog's database
RECORDS = f"{METADATA}.canopy_file_digests"
AT_ONCE = 8  # files that are fetched at once from a store that is not a folder

CREATE = f"""
create table if not exists {RECORDS} (
    file_id bigint, file_key varchar, size_bytes bigint, sha256 varchar, recorded_at timestamptz
)
"""
INSERT = f"""
insert into {RECORDS}
select
    unnest($ids::bigint[]), unnest($keys::varchar[]), unnest($sizes::bigint[]), unnest($digests::varchar[]),
    now()
"""
NO_RECORDS = """
(select
    null::bigint as file_id, null::varchar as file_key, null::bigint as size_bytes, null::varchar as sha256,
    null::timestamptz as recorded_at where false)
"""
# Of a table that was renamed there are several rows; its folder stays. dbt renames a table before it drops
# it, and the pointer may still be on it. Two that record at once, as PostgreSQL lets them, record a file
# twice; where they differ, the file is there twice, and once at fault.
FILES = f"""
with named as (
    select
        table_id, replace(arg_max(table_name, tables.begin_snapshot), '__dbt_backup', '') as table_name,
        any_value(schema_name) as schema_name, any_value(schemas.path || tables.path) as folder
    from {METADATA}.ducklake_table as tables
    inner join {METADATA}.ducklake_schema as schemas using (schema_id)
    group by table_id
),
files as (
    select data_file_id as file_id, table_id, begin_snapshot, end_snapshot, path,
        path_is_relative::boolean as is_relative, file_size_bytes
    from {METADATA}.ducklake_data_file
    union all
    select delete_file_id, table_id, begin_snapshot, end_snapshot, path,
        path_is_relative::boolean, file_size_bytes
    from {METADATA}.ducklake_delete_file
)
select
    files.file_id, schema_name || '.' || table_name as table_name,
    if(is_relative, folder || files.path, files.path) as path, file_size_bytes,
    begin_snapshot, end_snapshot, recorded.file_key, recorded.size_bytes, recorded.sha256
from files left join named using (table_id)
left join (select distinct file_id, file_key, size_bytes, sha256 from {{records}}) as recorded
    using (file_id)
where {{condition}}
order by files.file_id
"""  # noqa: S608
FORGET = f"""
delete from {RECORDS} where file_id not in (
    select data_file_id from {METADATA}.ducklake_data_file
    union all select delete_file_id from {METADATA}.ducklake_delete_file
    union all select max(file_id) from {RECORDS}
)
"""  # noqa: S608


@dataclass(frozen=True)
class TableFile:
    """A file that the catalog names: of rows, or of places that were deleted.

    Attributes:
        file_id: DuckLake's number of it.
        table: Such as `gold.training_set`.
        key: Where it lies in the store.
        size: How long it is, as the catalog says.
        begin: The snapshot that has it first.
        end: The snapshot that has it no more; None if the newest has it.
        recorded: The record's key, size and digest; None if there is no record.
    """

    file_id: int
    table: str
    key: str
    size: int
    begin: int
    end: int | None
    recorded: tuple[str, int, str] | None

    def is_in(self, snapshot_id: int) -> bool:
        """Returns whether a reader of a snapshot reads it."""
        return self.begin <= snapshot_id and (self.end is None or self.end > snapshot_id)


@dataclass(frozen=True)
class Files:
    """The catalog's files, and how far their digests are known.

    Attributes:
        files: All that the catalog names, by number.
        until: The highest number that is recorded; None where nothing was ever recorded.
        published_until: The highest number that the publications know of; None where none says.
        since: When the first of the digests that are still there was recorded.
    """

    files: tuple[TableFile, ...]
    until: int | None
    published_until: int | None
    since: datetime | None

    @property
    def new(self) -> list[TableFile]:
        """Returns those that came after the last that was recorded."""
        return [file for file in self.files if self.is_new(file)]

    def is_new(self, file: TableFile) -> bool:
        """Returns whether it came after all that was recorded, or published: its record is still to come."""
        marks = [mark for mark in (self.until, self.published_until) if mark is not None]
        return file.file_id > max(marks, default=-1)


def known_files(
    settings: LakeSettings, connection: duckdb.DuckDBPyConnection, condition: str = "true"
) -> Files:
    """Lists the catalog's files with what was recorded of each; reads none of them.

    Args:
        settings: Where the lake is.
        connection: A reader, or the one that writes.
        condition: Which files, in SQL; a catalog may have tens of thousands.
    """
    # In this order: others may write meanwhile, and record before they publish.
    published_until = _published_until(connection)
    until, since, records = _records(connection)
    mark = max(-1 if one is None else one for one in (until, published_until))
    query = FILES.format(records=records, condition=condition.replace("$mark", str(mark)))
    rows = connection.execute(query).fetchall()
    return Files(tuple(_file(settings, row) for row in rows), until, published_until, since)


def record_digests(settings: LakeSettings, connection: duckdb.DuckDBPyConnection) -> int:
    """Reads each file that is new since the last time, and records what it is.

    Args:
        settings: Where the lake is.
        connection: One that may write, and is in no transaction.

    Returns: How many were recorded.
    """
    known, objects = known_files(settings, connection, "files.file_id > $mark"), open_objects(settings)
    new = known.new
    found = [(file, digest) for file, digest in zip(new, _digests(objects, new), strict=True) if digest]
    if known.until is None:
        connection.execute(CREATE)
    if found:
        connection.execute(
            INSERT,
            {
                "ids": [file.file_id for file, _ in found],
                "keys": [file.key for file, _ in found],
                "sizes": [size for _, (size, _) in found],
                "digests": [sha256 for _, (_, sha256) in found],
            },
        )
        logger.info("digests_recorded files=%d until=%d", len(found), found[-1][0].file_id)
    return len(found)


def forget_removed(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops the records of files that the catalog no longer names; the newest stays, as the mark it is."""
    if _records(connection)[0] is not None:
        connection.execute(FORGET)


def record_object(connection: duckdb.DuckDBPyConnection, key: str, size: int, sha256: str) -> None:
    """Records an object about to replace the one of its key; both are known until `forget_replaced`."""
    if _records(connection)[0] is None:
        connection.execute(CREATE)
    connection.execute(f"insert into {RECORDS} values (null, ?, ?, ?, now())", [key, size, sha256])  # noqa: S608


def forget_replaced(connection: duckdb.DuckDBPyConnection, key: str, sha256: str) -> None:
    """Forgets what lay under a key before, now that it is replaced."""
    connection.execute(
        f"delete from {RECORDS} where file_id is null and file_key = ? and sha256 != ?",  # noqa: S608
        [key, sha256],
    )


def recorded_object(connection: duckdb.DuckDBPyConnection, key: str) -> set[tuple[int, str]]:
    """Returns what an object may be: its length and digest, twice if a process died as it replaced one by
    another."""
    records = _records(connection)[2]
    query = f"select size_bytes, sha256 from {records} where file_id is null and file_key = ?"  # noqa: S608
    return set(connection.execute(query, [key]).fetchall())


def require_whole(
    settings: LakeSettings,
    connection: duckdb.DuckDBPyConnection,
    snapshot_id: int,
    tables: Collection[str],
    *,
    since: int = -1,
    until: int | None = None,
) -> list[TableFile]:
    """Reads the files of tables at a snapshot, and compares each with what was written.

    Files that are not recorded yet are let pass: in a lake of before, or until the next refine.

    Args:
        settings: Where the lake is.
        connection: A reader; with its own copy of the catalog, if it has one.
        snapshot_id: The snapshot.
        tables: Such as `gold.training_set`; an entry `gold.*` stands for all tables of a schema.
        since: Leaves out files that this snapshot has already.
        until: How far the records must reach: as its publication says.

    Returns: All of the files.
    Raises: FilesChanged, naming the first file that is not what was written.
    """
    condition = f"begin_snapshot between {int(since) + 1} and {int(snapshot_id)}"
    known = known_files(settings, connection, condition)
    if text := records_fault(known, until):
        raise FilesChanged(text)
    wanted = [file for file in known.files if file.is_in(snapshot_id) and _is_of(file.table, tables)]
    for fault in faults_of(settings, [file for file in wanted if not known.is_new(file)]):
        if fault:
            raise FilesChanged(fault)
    return wanted


def records_fault(known: Files, until: int | None = None) -> str | None:
    """Returns what is wrong with the records as a whole: they end before what a publication knew of.

    Args:
        known: The files and their records.
        until: What a publication says, if the connection does not see it.
    """
    until = known.published_until if until is None else until
    if until is None or (known.until is not None and known.until >= until):
        return None
    there = "there are none" if known.until is None else f"they end at file {known.until}"
    return (
        f"Digests of files were removed from the catalog: {there}, and the publication has them up to {until}"
    )


def faults_of(settings: LakeSettings, files: Sequence[TableFile]) -> Iterable[str | None]:
    """Says for each file, in one sentence without an end, what is wrong with it; None where nothing is."""
    for file, digest in zip(files, _digests(open_objects(settings), files), strict=True):
        yield _fault(file, digest)


def _fault(file: TableFile, digest: tuple[int, str] | None) -> str | None:
    name = f"The file {file.key} of {file.table}"
    if digest is None:
        return f"{name} is gone, or cannot be read"
    if file.recorded is None:
        return f"{name} has no recorded digest: nobody can say that it is what was written"
    (size, sha256), (key, written, recorded) = digest, file.recorded
    if key != file.key:
        return f"{name} is recorded as {key}: the catalog was changed, or the record"
    if size != written:
        return f"{name} has {size} bytes, and was written with {written}"
    if sha256 != recorded:
        return (
            f"{name} has the length that was written, and other bytes: "
            f"its sha256 is {sha256}, and {recorded} was recorded"
        )
    if size != file.size:
        return f"{name} has {size} bytes, as it was written, and the catalog says {file.size}"
    return None


def _digests(objects: Objects, files: Sequence[TableFile]) -> Iterable[tuple[int, str] | None]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda file: file_digest(objects, file.key), files)


def file_digest(objects: Objects, key: str) -> tuple[int, str] | None:
    """Returns the length and the SHA-256 of an object; None where it cannot be read."""
    try:
        path = Path(objects.url(key))
        if path.is_absolute():  # read in pieces: a table's file may be larger than memory
            return digest_of(path)
        data = objects.read(key)
    except (ObjectMissing, OSError) as error:
        logger.warning("digest_failed key=%s reason=%r", key, str(error))
        return None
    return len(data), hashlib.sha256(data).hexdigest()


def digest_of(file: Path) -> tuple[int, str]:
    """Returns the length and the SHA-256 of a file."""
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), sha256


def _records(connection: duckdb.DuckDBPyConnection) -> tuple[int | None, datetime | None, str]:
    """Returns how far the records reach, since when, and what to join; a lake of before has none."""
    try:
        row = connection.execute(
            f"select max(file_id), min(recorded_at)::timestamptz from {RECORDS}"  # noqa: S608
        ).fetchone()
    except duckdb.CatalogException:
        return None, None, NO_RECORDS
    until, since = row or (None, None)
    return (-1 if until is None else int(until)), since, RECORDS


def _published_until(connection: duckdb.DuckDBPyConnection) -> int | None:
    try:
        with reading():
            row = connection.execute("select max(files_until) from lake.published.publications").fetchone()
    except TablesDamaged as damage:
        # Nothing is published, or by an older version; else whoever asks for the pointer says so.
        if not isinstance(damage.__cause__, (duckdb.CatalogException, duckdb.BinderException)):
            logger.warning("publications_unreadable reason=%r", str(damage.__cause__))
        return None
    return None if row is None or row[0] is None else int(row[0])


def _file(settings: LakeSettings, row: tuple[Any, ...]) -> TableFile:
    file_id, table, path, size, begin, end, key, written, sha256 = row
    absolute = f"{settings.root}/"
    stored = path.removeprefix(absolute) if path.startswith(absolute) else f"{TABLES}/{path}"
    recorded = None if sha256 is None else (str(key), int(written), str(sha256))
    return TableFile(int(file_id), str(table), stored, int(size), int(begin), end, recorded)


def _is_of(table: str, tables: Collection[str]) -> bool:
    return table in tables or f"{table.partition('.')[0]}.*" in tables
