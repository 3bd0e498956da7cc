"""What a hand that can write to the store may do to a table's file, in the ways that readers do not see."""

from __future__ import annotations

from pathlib import Path

import duckdb

from lake.catalog.connection import connect
from lake.publish.digests import RECORDS, digest_of
from lake.settings import LakeSettings

SWAPPED = "case cover_type when 0 then 1 when 1 then 0 else cover_type end as cover_type"
FOOTER = -8  # its length stands in four bytes before the closing PAR1


def files_of(lake: LakeSettings, table: str) -> list[Path]:
    """The files that the newest snapshot reads a table from, oldest first."""
    schema, _, name = table.partition(".")
    query = f"select data_file from ducklake_list_files('lake', '{name}', schema => '{schema}')"
    with connect(lake) as connection:
        return sorted(Path(file) for (file,) in connection.execute(query).fetchall())


def rewrite(file: Path, replaced: str) -> None:
    """Writes a file's rows anew, some values replaced, until its footer is as long as before.

    Padding takes eight bytes at least, so that the order of the rows is tried beside it.
    """
    wanted, rows = footer_length(file), f"select * replace ({replaced}) from read_parquet('{file}')"
    with duckdb.connect() as connection:
        ids = connection.execute(
            f"select name, field_id from parquet_schema('{file}') where num_children is null"
        ).fetchall()
        fields = f"field_ids {{{', '.join(f'{name}: {number}' for name, number in ids)}}}"
        connection.execute(f"create table rows as {rows}")
        for order in ("rowid", *(name for name, _ in ids)):
            for padding in ("", "x"):
                options = fields
                if padding:
                    missing = wanted - footer_length(file) - 8
                    options += f", kv_metadata {{p: '{padding * max(missing, 0)}'}}"
                connection.execute(
                    f"copy (from rows order by {order}) to '{file}' (format parquet, {options})"
                )
                if footer_length(file) == wanted:
                    return
    raise AssertionError(f"no padding makes a footer of {wanted} bytes")


def footer_length(file: Path) -> int:
    """How long the footer of a Parquet file is."""
    return int.from_bytes(file.read_bytes()[FOOTER : FOOTER + 4], "little")


def flip_in_footer(file: Path) -> None:
    """Changes a byte that no reader looks at: the length stays, and so do the rows."""
    body = file.read_bytes()
    assert body.count(b"DuckDB") == 1
    file.write_bytes(body.replace(b"DuckDB", b"DuckDC"))


def record_as_it_is(lake: LakeSettings, *files: Path) -> None:
    """Makes the records say what files are now, as a hand could that can write to the catalog too."""
    with connect(lake, write=True) as connection:
        for file in files:
            size, sha256 = digest_of(file)
            connection.execute(
                f"update {RECORDS} set size_bytes = {size}, sha256 = '{sha256}' "
                f"where file_key like '%/{file.name}'"
            )
