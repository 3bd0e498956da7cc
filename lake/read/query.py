"""Questions to the lake in the words of this process: its own, and a person's beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import duckdb

from contracts.errors import NothingPublished, QueryFailed, QueryWrites
from lake.catalog.connection import connect
from lake.catalog.travel import snapshot_at
from lake.publish.pointer import newest_publication
from lake.read.query_result import Answer, Pending
from lake.read.question_rules import ASKING, OF_THE_HAND, Rules, checked
from lake.settings import LakeSettings


@dataclass(frozen=True)
class State:
    """What a reader reads: a snapshot, or the newest at any time where there is no number."""

    snapshot_id: int | None
    description: str


def run_query(
    query: str, *, head: bool = False, at: str | None = None, lake: LakeSettings | None = None
) -> Answer:
    """Puts a query to the lake as it is published, and fetches the answer.

    It runs in this process, so it is for this process's own queries. What others write goes through
    `lake.read.question`.

    Args:
        query: Any DuckDB query over the schemas silver and gold; of several statements the last one answers.
        head: Read the newest snapshot instead of the published one.
        at: Read this snapshot, or what was published at this time (see `lake.catalog.travel`).
        lake: Where the lake is.

    Raises: QueryFailed with DuckDB's words; QueryWrites; QueryRefused; NothingPublished; SnapshotMissing.
    """
    settings = lake or LakeSettings()
    state = state_to_read(settings, head=head, at=at)
    with connect(settings, snapshot_id=state.snapshot_id) as connection, failing(query):
        return put(connection, query, OF_THE_HAND).fetch()


def put(connection: duckdb.DuckDBPyConnection, query: str, rules: Rules) -> Pending:
    """Runs all statements of a query but the one that answers, if the rules let them."""
    *before, last = checked(connection, query, rules)
    # What DuckDB puts around a PIVOT may end with another statement than the one that answers.
    place = next((number for number, statement in enumerate(last) if statement.type in ASKING), 0)
    for statement in (*chain.from_iterable(before), *last[:place]):
        connection.execute(statement)
    return Pending(connection, connection.sql(last[place]))


def state_to_read(lake: LakeSettings, *, head: bool = False, at: str | None = None) -> State:
    """Returns the state of the lake that a question is put to.

    Raises: NothingPublished; SnapshotMissing.
    """
    with connect(lake) as connection:
        return state_of(connection, head=head, at=at)


def state_of(connection: duckdb.DuckDBPyConnection, *, head: bool = False, at: str | None = None) -> State:
    """Returns the same as `state_to_read`, on a connection that reads the newest."""
    if at is not None:
        snapshot_id = snapshot_at(connection, at)
        return State(snapshot_id, f"snapshot {snapshot_id}")
    if head:
        return State(None, "the newest snapshot, published or not, as it is now")
    publication = newest_publication(connection)
    if publication is None:
        raise NothingPublished
    when = f"{publication.published_at:%Y-%m-%d %H:%M} UTC"
    number, snapshot_id = publication.publication_id, publication.snapshot_id
    return State(snapshot_id, f"publication {number} of {when}, snapshot {snapshot_id}")


@contextmanager
def failing(query: str) -> Iterator[None]:
    """Says what DuckDB says as Canopy's own errors."""
    try:
        yield
    except duckdb.Error as error:
        if "read-only mode" in str(error):
            raise QueryWrites(query) from error
        raise QueryFailed(query, str(error)) from error
