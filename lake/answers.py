"""What a query gives: rows, a table to read, a file, or a stream for other programs."""

from __future__ import annotations

import io
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import duckdb

Format = Literal["csv", "json", "parquet"]

DRAWN_ROWS = 10_000  # DuckDB draws no more
TERMINAL_ROWS = 40
WIDEST = 1_000_000
COPY: dict[Format, str] = {"csv": "csv, header", "json": "json, array true", "parquet": "parquet"}


@dataclass(frozen=True)
class Answer:
    """What a query gave: column names, and rows as tuples."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """The rows as one dictionary each."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Drawing:
    """A table to read, and whether the answer has more rows than it."""

    text: str
    is_cut: bool


@dataclass(frozen=True)
class Pending:
    """A query's answer before it is computed (`lake.query.asking`): to be taken once, in one of these ways.

    Attributes:
        connection: The connection that computes it.
        relation: The answer; None where the last statement gives none.
    """

    connection: duckdb.DuckDBPyConnection
    relation: duckdb.DuckDBPyRelation | None

    def fetch(self) -> Answer:
        """All of it, in memory."""
        if self.relation is None:
            return Answer([], [])
        return Answer(self.relation.columns, self.relation.fetchall())

    def draw(self, width: int | None) -> Drawing:
        """Draws it the way DuckDB does.

        Args:
            width: Columns of the terminal. One row that is too wide for it is drawn downwards; of more rows
                DuckDB leaves out columns in the middle, and says so below. None: every column, and the
                first DRAWN_ROWS rows.
        """
        if self.relation is None:
            return Drawing("", is_cut=False)
        if self.relation.columns == ["explain_key", "explain_value"]:
            return Drawing("\n".join(plan for _, plan in self.relation.fetchall()), is_cut=False)
        # Asked once, however often it is drawn.
        found = self.relation.limit(DRAWN_ROWS + 1)  # noqa: F841 - DuckDB finds it by its name
        self.connection.execute("create temp table canopy_answer as from found")
        kept = self.connection.table("temp.canopy_answer")
        rows = len(kept)
        if width is None:
            return Drawing(_shown(kept, WIDEST, DRAWN_ROWS), is_cut=rows > DRAWN_ROWS)
        text = _shown(kept, width, TERMINAL_ROWS)
        if rows == 1 and "columns (" in text.splitlines()[-1]:
            text = _shown(kept, width, TERMINAL_ROWS, duckdb.RenderMode.COLUMNS)
        return Drawing(text, is_cut=False)

    def write(self, file: Path, form: Format) -> int:
        """Writes it into a file, which is replaced when the answer is whole.

        Returns: The number of rows.
        """
        return self._copy(str(file), form)

    def stream(self, sink: BinaryIO, form: Format) -> None:
        """Sends it while it is computed.

        DuckDB writes into a pipe: if it opened standard output as a file, it would cut off what is in there.

        Raises: what the sink raises, such as BrokenPipeError.
        """
        reading, writing = os.pipe()
        with ThreadPoolExecutor(max_workers=1) as pool:
            sent = pool.submit(_send, reading, sink)
            failure: duckdb.Error | None = None
            try:
                self._copy(f"/dev/fd/{writing}", form, "use_tmp_file false")
            except duckdb.Error as error:
                failure = error
            finally:
                os.close(writing)
            sent.result()  # a sink that is closed makes DuckDB fail too, and says it better
        if failure:
            raise failure

    def _copy(self, target: str, form: Format, *options: str) -> int:
        if self.relation is None:
            return 0
        given = _finite(self.relation) if form == "json" else self.relation  # noqa: F841 - DuckDB finds it
        quoted = target.replace("'", "''")
        settings = ", ".join((f"format {COPY[form]}", *options))
        row = self.connection.execute(f"copy (from given) to '{quoted}' ({settings})").fetchone()
        return int(row[0]) if row else 0


def _send(reading: int, sink: BinaryIO) -> None:
    with os.fdopen(reading, "rb") as source:
        shutil.copyfileobj(source, sink)
    sink.flush()


def _finite(answer: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """JSON knows neither NaN nor infinity: null instead."""
    kinds = zip(answer.columns, answer.types, strict=True)
    names = ['"' + name.replace('"', '""') + '"' for name, kind in kinds if str(kind) in ("DOUBLE", "FLOAT")]
    if not names:
        return answer
    replaced = ", ".join(f"case when isfinite({name}) then {name} end as {name}" for name in names)
    return answer.select(f"* replace ({replaced})")


def _shown(
    answer: duckdb.DuckDBPyRelation, width: int, rows: int, mode: duckdb.RenderMode = duckdb.RenderMode.ROWS
) -> str:
    longest = width if width == WIDEST else None
    with redirect_stdout(io.StringIO()) as shown:
        answer.show(max_width=width, max_rows=rows, max_col_width=longest, render_mode=mode)
    return shown.getvalue().rstrip("\n")
