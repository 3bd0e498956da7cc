"""The lake's tables and columns with their descriptions, out of the catalog."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from ui.reading.pointer import KEY, read

# Its own bookkeeping is of no use to a reader.
HIDDEN = ("silver.pending_landings", "silver.batch_rows")
TABLES = """
select schema_name as "schema", table_name as name, comment as description, estimated_size as rows
from duckdb_tables()
where database_name = 'lake' and schema_name in ('gold', 'silver')
order by schema_name, table_name
"""
COLUMNS = """
select schema_name as "schema", table_name as "table", column_name as name, data_type as kind,
    comment as description
from duckdb_columns()
where database_name = 'lake' and schema_name in ('gold', 'silver')
order by column_index
"""


@dataclass(frozen=True)
class Column:
    """A column; its description names the unit."""

    name: str
    kind: str
    description: str


@dataclass(frozen=True)
class Table:
    """A table at the pointer.

    Attributes:
        rows: How many the catalog counts; nothing is read for it.
    """

    schema: str
    name: str
    description: str
    rows: int
    columns: tuple[Column, ...]

    @property
    def full_name(self) -> str:
        """Returns the name as a query has it."""
        return f"{self.schema}.{self.name}"


@st.cache_data(max_entries=4, show_spinner=False, hash_funcs=KEY)
def tables(settings: LakeSettings, published: Publication) -> list[Table]:
    """Returns gold first, then silver, by name."""
    columns: dict[tuple[str, str], list[Column]] = {}
    for row in read(settings, published.snapshot_id, COLUMNS):
        found = columns.setdefault((row["schema"], row["table"]), [])
        found.append(Column(row["name"], row["kind"].lower(), row["description"] or ""))
    named = [
        Table(
            row["schema"],
            row["name"],
            row["description"] or "",
            int(row["rows"] or 0),
            tuple(columns.get((row["schema"], row["name"]), ())),
        )
        for row in read(settings, published.snapshot_id, TABLES)
    ]
    return [table for table in named if table.full_name not in HIDDEN]
