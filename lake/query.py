"""Questions to the lake, read-only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
from duckdb import StatementType

from contracts.errors import NothingPublished, QueryFailed, QueryWrites
from lake.answers import Answer, Pending
from lake.catalog import connect
from lake.published import latest
from lake.settings import LakeSettings
from lake.travel import snapshot_at

READS = {
    StatementType.CALL,
    StatementType.EXECUTE,
    StatementType.EXPLAIN,
    StatementType.PRAGMA,
    StatementType.PREPARE,
    StatementType.RELATION,
    StatementType.SELECT,
    StatementType.SET,
    StatementType.VARIABLE_SET,
}


@dataclass(frozen=True)
class State:
    """What a reader reads: a snapshot, or the newest at any time where there is no number."""

    snapshot_id: int | None
    description: str


def run_query(
    query: str, *, head: bool = False, at: str | None = None, lake: LakeSettings | None = None
) -> Answer:
    """Runs a query at the published pointer, and fetches the answer.

    Args:
        query: As for `asking`.
        head: Read the newest snapshot instead of the published one.
        at: Read this snapshot, or what was published at this time (see `lake.travel`).
        lake: Where the lake is.

    Raises: as `asking`.
    """
    with asking(query, head=head, at=at, lake=lake) as pending:
        return pending.fetch()


@contextmanager
def asking(
    query: str, *, head: bool = False, at: str | None = None, lake: LakeSettings | None = None
) -> Iterator[Pending]:
    """Puts a query to the lake as it is published; how its answer is taken is chosen within.

    Args:
        query: Any DuckDB query over the schemas silver and gold; of several statements the last one answers.
        head: Read the newest snapshot instead of the published one.
        at: Read this snapshot, or what was published at this time (see `lake.travel`).
        lake: Where the lake is.

    Raises: QueryFailed with DuckDB's words; QueryWrites; NothingPublished; SnapshotMissing.
    """
    settings = lake or LakeSettings()
    state = state_to_read(settings, head=head, at=at)
    with connect(settings, snapshot_id=state.snapshot_id) as connection, _failing(query):
        statements = _statements(connection, query)
        for statement in statements[:-1]:
            connection.execute(statement)
        yield Pending(connection, connection.sql(statements[-1]))


def state_to_read(lake: LakeSettings, *, head: bool = False, at: str | None = None) -> State:
    """The state of the lake that a question is put to.

    Raises: NothingPublished; SnapshotMissing.
    """
    if at is not None:
        snapshot_id = snapshot_at(lake, at)
        return State(snapshot_id, f"snapshot {snapshot_id}")
    if head:
        return State(None, "the newest snapshot, published or not, as it is now")
    publication = latest(lake)
    if publication is None:
        raise NothingPublished
    when = f"{publication.published_at:%Y-%m-%d %H:%M} UTC"
    number, snapshot_id = publication.publication_id, publication.snapshot_id
    return State(snapshot_id, f"publication {number} of {when}, snapshot {snapshot_id}")


def _statements(connection: duckdb.DuckDBPyConnection, query: str) -> list[duckdb.Statement]:
    statements = connection.extract_statements(query)
    for statement in statements:
        # DuckDB puts the making of a type in front of a PIVOT: a statement without a text.
        if statement.type not in READS and statement.query:
            raise QueryWrites(query, statement.type.name)
    if not statements:
        raise QueryFailed(query, "there is no statement in it")
    return statements


@contextmanager
def _failing(query: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        if "read-only mode" in str(error):
            raise QueryWrites(query) from error
        raise QueryFailed(query, str(error)) from error
