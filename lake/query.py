"""Questions to the lake, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from contracts.errors import QueryFailed
from lake.catalog import connect
from lake.published import connect_published
from lake.settings import LakeSettings


@dataclass(frozen=True)
class Answer:
    """What a query gave: column names, and rows as tuples."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """The rows as one dictionary each."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def run_query(query: str, *, head: bool = False, lake: LakeSettings | None = None) -> Answer:
    """Runs a query at the published pointer.

    Args:
        query: Any DuckDB query over the schemas silver and gold; the lake is attached read-only.
        head: Read the newest snapshot instead of the published one.
        lake: Where the lake is.

    Raises: QueryFailed with DuckDB's words; NothingPublished.
    """
    lake = lake or LakeSettings()
    connection = connect(lake) if head else connect_published(lake)[1]
    with connection:
        try:
            cursor = connection.execute(query)
            return Answer([column[0] for column in cursor.description or []], cursor.fetchall())
        except duckdb.Error as error:
            raise QueryFailed(query, str(error)) from error
