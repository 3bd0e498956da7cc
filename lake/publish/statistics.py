"""Checks the catalog's statistics of a file against its rows: DuckLake skips files by them, unasked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import duckdb

from contracts.errors import FilesChanged
from lake.catalog.tables import quoted, reading
from lake.objects import open_objects
from lake.publish.digests import METADATA, TableFile
from lake.read.query_result import doubled
from lake.settings import LakeSettings

# DuckLake's names of types whose smallest and largest value it keeps, by DuckDB's.
TYPES = {
    **{"boolean": "boolean", "varchar": "varchar", "uuid": "uuid", "date": "date", "time": "time"},
    **{"int8": "tinyint", "int16": "smallint", "int32": "integer", "int64": "bigint", "int128": "hugeint"},
    **{"uint8": "utinyint", "uint16": "usmallint", "uint32": "uinteger", "uint64": "ubigint"},
    **{"float32": "float", "float64": "double", "timestamp": "timestamp", "timestamptz": "timestamptz"},
}
FLOATS = ("float32", "float64")
COLUMNS = f"""
select distinct column_name, column_id, column_type
from {METADATA}.ducklake_column
where table_id = (select any_value(table_id) from {METADATA}.ducklake_data_file where data_file_id = $file)
    and parent_column is null
order by column_id
"""  # noqa: S608
ROWS = """
with found as (
    select filename, count(*) as found_rows{found}
    from read_parquet({files}, filename = true, union_by_name = true, hive_partitioning = false)
    group by filename
),
named as (select unnest({ids}) as data_file_id, unnest({files}) as filename)
select data_file_id, reasons.reason
from found inner join named using (filename),
    lateral (
        select 'it has ' || found_rows || ' rows, and the catalog counts ' || record_count as reason
        from {metadata}.ducklake_data_file as files
        where files.data_file_id = named.data_file_id and record_count != found_rows
        {compared}
    ) as reasons
order by data_file_id, reason
"""
COMPARED = """
union all
select {name} || ' is ' || coalesce({low}::varchar, 'nothing')
    || ' to ' || coalesce({high}::varchar, 'nothing') || ', ' || {nulls} || ' times nothing, '
    || 'and the catalog says ' || coalesce(min_value, 'nothing')
    || ' to ' || coalesce(max_value, 'nothing') || ', '
    || coalesce(null_count::varchar, 'nobody knows how many')
from {metadata}.ducklake_file_column_stats as kept
where kept.data_file_id = named.data_file_id and kept.column_id = {id} and (
    null_count != {nulls} or value_count not in (found_rows, found_rows - {nulls})
    or ({low} is not null and not coalesce(try_cast(min_value as {type}) <= {low}, min_value is null))
    or ({high} is not null and not coalesce(try_cast(max_value as {type}) >= {high}, max_value is null))
    {more}
)
"""


def statistics_faults(
    settings: LakeSettings, connection: duckdb.DuckDBPyConnection, files: Sequence[TableFile]
) -> Iterator[tuple[TableFile, str]]:
    """Compares what the catalog keeps of files of rows with the rows themselves: each file is read whole.

    Args:
        settings: Where the lake is.
        connection: A reader.
        files: Files whose digests hold; those of deleted places have no statistics.

    Returns: For each file at fault its first fault, in one sentence without an end.
    """
    of_rows = f"select data_file_id from {METADATA}.ducklake_data_file"  # noqa: S608
    rows = {file_id for (file_id,) in connection.execute(of_rows).fetchall()}
    tables: dict[str, list[TableFile]] = defaultdict(list)
    for file in files:
        if file.file_id in rows:
            tables[file.table].append(file)
    for table, of_table in tables.items():
        faults = dict[int, str]()
        with reading():
            for file_id, reason in connection.execute(_query(settings, connection, of_table)).fetchall():
                faults.setdefault(file_id, reason)
        for file in of_table:
            if reason := faults.get(file.file_id):
                yield file, f"The catalog's statistics of the file {file.key} of {table} are wrong: {reason}"


def require_statistics(
    settings: LakeSettings, connection: duckdb.DuckDBPyConnection, files: Sequence[TableFile]
) -> None:
    """Checks that no file is skipped for statistics that are not its own.

    Raises: FilesChanged, naming the first.
    """
    for _, fault in statistics_faults(settings, connection, files):
        raise FilesChanged(fault)


def _query(settings: LakeSettings, connection: duckdb.DuckDBPyConnection, files: Sequence[TableFile]) -> str:
    objects = open_objects(settings)
    urls = f"[{', '.join(quoted(objects.url(file.key)) for file in files)}]"
    there = {
        name
        for name, *_ in connection.execute(
            f"describe select * from read_parquet({urls}, union_by_name = true, hive_partitioning = false)"  # noqa: S608
        ).fetchall()
    }
    known = connection.execute(COLUMNS.replace("$file", str(files[0].file_id))).fetchall()
    kept = [(name, id_, kind) for name, id_, kind in known if name in there and kind in TYPES]
    return ROWS.format(
        found="".join(_found(name, number, kind) for number, (name, _, kind) in enumerate(kept)),
        files=urls,
        ids=str([file.file_id for file in files]),
        metadata=METADATA,
        compared="".join(_compared(name, number, id_, kind) for number, (name, id_, kind) in enumerate(kept)),
    )


def _found(name: str, number: int, kind: str) -> str:
    column = f'"{doubled([name])[0]}"'
    numbers = f" filter (not isnan({column}))" if kind in FLOATS else ""
    texts = [f"min({column}){numbers} as low_{number}", f"max({column}){numbers} as high_{number}"]
    texts.append(f"count(*) - count({column}) as nulls_{number}")
    if kind in FLOATS:
        texts.append(f"count(*) filter (isnan({column})) as nans_{number}")
    return "".join(f", {text}" for text in texts)


def _compared(name: str, number: int, column_id: int, kind: str) -> str:
    return COMPARED.format(
        name=quoted(name),
        metadata=METADATA,
        id=column_id,
        type=TYPES[kind],
        low=f"low_{number}",
        high=f"high_{number}",
        nulls=f"nulls_{number}",
        more=f"or (nans_{number} > 0 and not contains_nan)" if kind in FLOATS else "",
    )
