"""What runs in a process of its own: one question to the lake, and nothing that it could change.

`sandbox` has taken from this process the right to write anywhere, every file that the question need not
read, and what it need not reach, before a word of the question is looked at. `lake.read.question_rules` then
says in words what a question may not be; that nothing is changed does not hang on it.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from contracts.errors import QueryFailed, QueryTooLarge, QueryTooLong
from lake.catalog.connection import TABLES, attach_statement, attach_to
from lake.catalog.extensions import connection_config
from lake.catalog.tables import quoted
from lake.read.query import failing, put, state_of
from lake.read.query_result import MOST_DECIMAL, doubled
from lake.read.question_rules import OF_THE_HAND, OF_THE_PAGE
from lake.settings import LakeSettings
from sandbox.flat_tables import held_bytes

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from lake.read.query_result import Pending

BATCH = 64  # rows between two looks at how large the answer is
# DuckDB's types that are flat columns for Arrow; values of others are given as their text.
FLAT = frozenset(
    {
        *("boolean", "tinyint", "smallint", "integer", "bigint", "hugeint"),
        *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint", "float", "double", "decimal"),
        *("varchar", "blob", "uuid", "date", "time", "timestamp", "timestamp_s", "timestamp_ms"),
        *("timestamp_ns", "timestamp with time zone"),
    }
)
# What of a type Arrow, pandas and Python all have: infinity, 24:00:00, years beyond four digits and numbers
# beyond 38 digits they lack, or change without a word.
ORDINARY = {
    "hugeint": f"#{{place}} between -{MOST_DECIMAL} and {MOST_DECIMAL}",
    "uhugeint": f"#{{place}} <= {MOST_DECIMAL}",
    "date": "#{place} between '0001-01-01'::date and '9999-12-31'::date",
    "time": "#{place} < '24:00:00'::time",
    "timestamp_ns": "isfinite(#{place}::timestamp)",
    **dict.fromkeys(
        ("timestamp", "timestamp_s", "timestamp_ms"),
        "#{place}::timestamp between '0001-01-01'::timestamp and '9999-12-31 23:59:59.999999'::timestamp",
    ),
    "timestamp with time zone": (
        "#{place} between '0001-01-01 00:00:00+00'::timestamptz "
        "and '9999-12-31 23:59:59.999999+00'::timestamptz"
    ),
}
# No other file than the lake's, and no change of any limit. This alone would let a question write into them.
LOCK = (
    "set temp_directory = ''",
    "set allowed_directories = [{folders}]",
    "set allowed_paths = [{files}]",
    "set enable_external_access = false",
    "set autoload_known_extensions = false",
    "set lock_configuration = true",
)

# The warm process makes this before it forks, which takes a second: no question waits for it. It has no
# thread of its own yet, so that a child can go on with it.
CONNECTION = duckdb.connect(
    config=connection_config()
    | {"threads": 1, "autoload_known_extensions": "false", "allow_persistent_secrets": "false"}
)
for extension in ("ducklake", "sqlite_scanner"):
    CONNECTION.execute(f"load {extension}")


def answer(argument: bytes) -> bytes:
    """Returns the page's question: its first rows as an Arrow stream.

    Raises: QueryFailed; QueryTooLong; QueryTooLarge; QueryWrites; QueryRefused; CatalogUnusable.
    """
    given = json.loads(argument)
    query, settings = given["query"], _settings(given)
    attach_to(CONNECTION, settings, attach_statement(settings, snapshot_id=given["snapshot_id"]))
    _lock(settings, given["files"])
    with failing(query), _interrupted(query, given["seconds"]):
        return _stream(_rows(put(CONNECTION, query, OF_THE_PAGE), query, given["rows"], given["bytes"]))


def draw(argument: bytes) -> bytes:
    """Returns a person's query as a table to read."""
    given = json.loads(argument)
    with _asking(given) as pending:
        drawing = pending.draw(given["width"])
    return json.dumps({"text": drawing.text, "is_cut": drawing.is_cut}).encode()


def send(argument: bytes, sink: int) -> bytes:
    """Returns a person's query, sent into a pipe while it is computed; how many rows it had."""
    given = json.loads(argument)
    with _asking(given) as pending:
        return str(pending.write_to(sink, given["form"])).encode()


@contextmanager
def _asking(given: dict[str, Any]) -> Iterator[Pending]:
    """Attaches a catalog's copy and finds out which snapshot is read."""
    settings = _settings(given)
    attach_to(CONNECTION, settings, attach_statement(settings))
    state = state_of(CONNECTION, head=given["head"], at=given["at"])
    if state.snapshot_id is not None:
        CONNECTION.execute("use memory")
        CONNECTION.execute("detach lake")
        attach_to(CONNECTION, settings, attach_statement(settings, snapshot_id=state.snapshot_id))
    CONNECTION.execute("set temp_directory = ''")
    os.chdir(given["folder"])  # a person's file names start where they are, or with ~
    if given["home"]:
        CONNECTION.execute(f"set home_directory = {quoted(given['home'])}")
    with failing(given["query"]):
        yield put(CONNECTION, given["query"], OF_THE_HAND)


def _settings(given: dict[str, Any]) -> LakeSettings:
    """Returns what the process was told; no file of this machine adds to it."""
    return LakeSettings(**given["lake"], _env_file=None)  # type: ignore[call-arg]


def _lock(settings: LakeSettings, files: list[str]) -> None:
    folders = [] if files else [f"{settings.root}/{TABLES}/"]
    listed = {"folders": ", ".join(map(quoted, folders)), "files": ", ".join(map(quoted, files))}
    for statement in LOCK:
        CONNECTION.execute(statement.format_map(listed))


@contextmanager
def _interrupted(query: str, seconds: float) -> Iterator[None]:
    stop = threading.Timer(seconds, CONNECTION.interrupt)
    stop.daemon = True
    stop.start()
    try:
        yield
    except duckdb.InterruptException:
        raise QueryTooLong(query, seconds) from None
    except duckdb.OutOfMemoryException:
        raise QueryTooLarge(query, "it took more memory than a question may") from None
    finally:
        stop.cancel()


def _rows(pending: Pending, query: str, rows: int, most_bytes: int) -> pa.Table:
    """Returns at most so many rows and bytes; what is larger is not even gathered."""
    if pending.relation is None:
        raise QueryFailed(query, "it gives no rows")
    answer = pending.relation.limit(rows)
    found, width = _flat(answer).to_arrow_reader(BATCH), len(answer.columns)
    batches, size = list[pa.RecordBatch](), 0
    for batch in found:
        size += held_bytes(batch.select(list(range(width))))
        if size > most_bytes:
            raise QueryTooLarge(query, f"its answer has more than {most_bytes // 1_000_000} MB")
        batches.append(batch)
    table = pa.Table.from_batches(batches, found.schema)
    return _with_texts(table, _doubtful(answer)).select(list(range(width)))


def _flat(answer: DuckDBPyRelation) -> DuckDBPyRelation:
    """Lists, objects and the like as the text that DuckDB draws: as large as they will be read.

    Behind the columns comes the text of each whose type has values that are not `ORDINARY`; those are null in
    the column itself. By number: two columns may have one name.
    """
    columns = enumerate(zip(doubled(answer.columns), answer.types, strict=True), start=1)
    flat = [f'{_flat_value(place, kind.id)} as "{name}"' for place, (name, kind) in columns]
    texts = [f"#{place + 1}::varchar as text_{place}" for place in _doubtful(answer)]
    return answer.select(", ".join([*flat, *texts]))


def _flat_value(place: int, kind: str) -> str:
    if kind in ORDINARY:
        return f"case when {ORDINARY[kind].format(place=place)} then #{place} end"
    return f"#{place}" if kind in FLAT else f"#{place}::varchar"


def _doubtful(answer: DuckDBPyRelation) -> list[int]:
    return [place for place, kind in enumerate(answer.types) if kind.id in ORDINARY]


def _with_texts(table: pa.Table, doubtful: list[int]) -> pa.Table:
    """Has the texts of a column stand in its place where a value of it is not ordinary."""
    texts = range(table.num_columns - len(doubtful), table.num_columns)
    for place, text in zip(doubtful, texts, strict=True):
        if table.column(place).null_count > table.column(text).null_count:
            table = table.set_column(place, table.field(place).name, table.column(text))
    return table


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
