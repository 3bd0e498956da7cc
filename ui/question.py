"""A person's query to the lake as it is published: read-only, within a limit of rows and of time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.errors import QueryFailed, QueryTooLong, QueryWrites
from lake.query import READS, asking
from lake.settings import LakeSettings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from duckdb import DuckDBPyConnection, Statement

ROW_LIMIT, TIME_LIMIT_S = 1_000, 10.0
# Whoever reaches this page may read the lake and no other file of the machine, and change no limit.
LOCK = """
set allowed_directories = ['{root}/'];
set enable_external_access = false;
set memory_limit = '1GB';
set lock_configuration = true;
select 1
"""


@dataclass(frozen=True)
class Found:
    """What a query gave.

    Attributes:
        frame: At most ROW_LIMIT rows.
        is_cut: Whether there are more.
        seconds: How long it took.
    """

    frame: pd.DataFrame
    is_cut: bool
    seconds: float


def ask_lake(settings: LakeSettings, query: str, *, seconds: float = TIME_LIMIT_S) -> Found:
    """Runs a query at the pointer.

    Args:
        settings: Where the lake is.
        query: Any DuckDB query over the schemas silver and gold.
        seconds: How long it may take.

    Raises: QueryTooLong; QueryFailed with DuckDB's words; QueryWrites; NothingPublished.
    """
    began = time.monotonic()
    try:
        with asking(LOCK.format(root=settings.root.replace("'", "''")), lake=settings) as pending:
            frame = _answer(pending.connection, query, seconds)
    except QueryFailed as error:
        if "INTERRUPT" in str(error):
            raise QueryTooLong(query, seconds) from None
        raise QueryFailed(query, str(error).partition(" failed: ")[2]) from None
    return Found(frame.head(ROW_LIMIT), len(frame) > ROW_LIMIT, time.monotonic() - began)


def _answer(connection: DuckDBPyConnection, query: str, seconds: float) -> pd.DataFrame:
    *before, statement = _statements(connection, query)
    stop = threading.Timer(seconds, connection.interrupt)
    stop.start()
    try:
        for prepared in before:
            connection.execute(prepared)
        relation = connection.sql(statement)
        return _frame(None if relation is None else relation.limit(ROW_LIMIT + 1).to_arrow_table())
    finally:
        stop.cancel()


def _frame(found: pa.Table | None) -> pd.DataFrame:
    """The rows with numbers as numbers: a sum of integers comes as a decimal, which no chart draws."""
    import pandas as pd
    import pyarrow as pa

    if found is None:
        return pd.DataFrame()
    for place, field in enumerate(found.schema):
        if pa.types.is_decimal(field.type):
            kind = pa.int64() if field.type.scale == 0 else pa.float64()
            found = found.set_column(place, field.name, found.column(place).cast(kind, safe=False))
    return found.to_pandas()


def _statements(connection: DuckDBPyConnection, query: str) -> list[Statement]:
    """The one statement, after what DuckDB itself puts in front of it, as for a PIVOT."""
    statements = connection.extract_statements(query)
    own = [statement for statement in statements if statement.query or statement.type in READS]
    if len(own) != 1:
        raise QueryFailed(query, f"it has {len(own)} statements, and one is answered at a time")
    if own[0].type not in READS:
        raise QueryWrites(query, own[0].type.name)
    return statements
