"""What a query gives: rows, a table to read, a file, or a stream for other programs."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from contracts.outside import csv_safe

if TYPE_CHECKING:  # whoever only names a form does not wait for DuckDB
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

Format = Literal["csv", "json", "parquet"]

DRAWN_ROWS = 10_000  # DuckDB draws no more
TERMINAL_ROWS = 40
WIDEST = 1_000_000
MOST_DECIMAL = 10**38 - 1  # of Parquet's and Arrow's whole numbers
# Kinds of values whose text in CSV is never anything but a number, a time or a truth.
PLAIN_IN_CSV = re.compile(
    r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN|DATE|TIME.*|UUID|INTERVAL",
    re.IGNORECASE,
)
WHOLE = ("hugeint", "uhugeint")
DECIMAL = "decimal(38,0)"
# What Python has to look at: a beginning like a formula's, or anything beyond printable ASCII.
DOUBTFUL = r'(^ *|;[ "]*)[=+@-]|[^ -~]'
COPY: dict[Format, str] = {"csv": "csv, header", "json": "json, array true", "parquet": "parquet"}


class Sink(Protocol):
    """What an answer is sent to."""

    def write(self, data: bytes, /) -> int:
        """Takes the next bytes."""

    def flush(self) -> None:
        """Passes on what is left."""


@dataclass(frozen=True)
class Answer:
    """What a query gave: column names, and rows as tuples."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Returns the rows as one dictionary each."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Drawing:
    """A table to read, and whether the answer has more rows than it."""

    text: str
    is_cut: bool


@dataclass(frozen=True)
class Pending:
    """A query's answer before it is computed: to be taken once, in one of these ways.

    Attributes:
        connection: The connection that computes it.
        relation: The answer; None where the last statement gives none.
    """

    connection: duckdb.DuckDBPyConnection
    relation: duckdb.DuckDBPyRelation | None

    def fetch(self) -> Answer:
        """Returns all of it, in memory."""
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
            text = _shown(kept, width, TERMINAL_ROWS, downwards=True)
        return Drawing(text, is_cut=False)

    def write_to(self, pipe: int, form: Format) -> int:
        """Sends it into a pipe that is open under this number, while it is computed.

        Returns: The number of rows.
        """
        if self.relation is None:
            return 0
        made = {"json": _finite, "csv": self._without_formulas, "parquet": _unrounded}[form]
        given = made(self.relation)  # noqa: F841 - DuckDB finds it
        options = f"format {COPY[form]}, use_tmp_file false"
        row = self.connection.execute(f"copy (from given) to '/dev/fd/{pipe}' ({options})").fetchone()
        return int(row[0]) if row else 0

    def _without_formulas(self, answer: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        """Returns the answer with each text as `contracts.outside.csv_safe` has it; numbers stay as they are.

        So are the names of columns, which a PIVOT takes from values. JSON and Parquet give every character
        as it is.
        """
        is_plain = [bool(PLAIN_IN_CSV.fullmatch(str(kind))) for kind in answer.types]
        if not all(is_plain):
            self.connection.create_function("canopy_csv_safe", _csv_safe, ["VARCHAR"], "VARCHAR")
        names = doubled(list(map(_csv_safe, answer.columns)))
        # By number: two columns may have one name.
        return answer.select(
            ", ".join(
                f'{f"#{place}" if plain else _safe_text(f"#{place}::varchar")} as "{name}"'
                for place, (name, plain) in enumerate(zip(names, is_plain, strict=True), start=1)
            )
        )


def _safe_text(value: str) -> str:
    return f"case when regexp_matches({value}, '{DOUBTFUL}') then canopy_csv_safe({value}) else {value} end"


def _csv_safe(text: str) -> str:
    return str(csv_safe(text))


def doubled(names: list[str]) -> list[str]:
    """Returns names as they stand between double quotes."""
    return [name.replace('"', '""') for name in names]


def _finite(answer: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Puts null in place of NaN and infinity, which JSON does not know."""
    kinds = zip(doubled(answer.columns), answer.types, strict=True)
    names = [f'"{name}"' for name, kind in kinds if str(kind) in ("DOUBLE", "FLOAT")]
    if not names:
        return answer
    replaced = ", ".join(f"case when isfinite({name}) then {name} end as {name}" for name in names)
    return answer.select(f"* replace ({replaced})")


def _unrounded(answer: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Returns the answer in types that Parquet has: DuckDB rounds whole numbers of 128 bits to doubles there.

    What does not fit ends the query, naming the column and the value. By number: two columns may have one
    name.
    """
    values = [
        _in_parquet(place, *of) for place, of in enumerate(zip(answer.columns, answer.types, strict=True))
    ]
    if all(value is None for value in values):
        return answer
    return answer.select(
        ", ".join(
            f'{value or f"#{place}"} as "{name}"'
            for place, (name, value) in enumerate(zip(doubled(answer.columns), values, strict=True), start=1)
        )
    )


def _in_parquet(place: int, name: str, kind: DuckDBPyType) -> str | None:
    """Returns a column as Parquet holds it; None where that is how it is."""
    value = f"#{place + 1}"
    if kind.id in WHOLE:
        fits = f"{value} <= {MOST_DECIMAL}" + (
            f" and {value} >= -{MOST_DECIMAL}" if kind.id == "hugeint" else ""
        )
        return _held(value, f"{value}::{DECIMAL}", fits, name)
    if kind.id == "interval":
        return _held(value, value, f"date_part('microseconds', {value}) % 1000 = 0", name)
    wanted = _parquet_type(kind)
    return None if wanted == str(kind) else f"{value}::{wanted}"


def _held(value: str, held: str, fits: str, name: str) -> str:
    column = f"the column {name} has ".replace("'", "''")
    said = f"'{column}' || {value}::varchar || ', which Parquet cannot hold: cast it to varchar, or take CSV'"
    return f"case when {value} is null then null when {fits} then {held} else error({said}) end"


def _parquet_type(kind: DuckDBPyType) -> str:
    """Returns the type that a column is written in, also where such a number is within its values."""
    if kind.id in WHOLE:
        return DECIMAL
    if kind.id not in ("list", "array", "map", "struct", "union"):
        return str(kind)
    parts = kind.children[1:] if kind.id == "union" else kind.children  # a union's first is its tag
    within = [(name, of if isinstance(of, int | list) else _parquet_type(of)) for name, of in parts]
    if not any(str(of) != str(was) for (_, of), (_, was) in zip(within, parts, strict=True)):
        return str(kind)
    if kind.id in ("struct", "union"):
        names = doubled([name or f"element_{number}" for number, (name, _) in enumerate(within, start=1)])
        fields = (f'"{name}" {of}' for name, (_, of) in zip(names, within, strict=True))
        return f"{kind.id}({', '.join(fields)})"
    if kind.id == "map":
        return f"map({within[0][1]}, {within[1][1]})"
    return f"{within[0][1]}[{within[1][1] if kind.id == 'array' else ''}]"


def _shown(answer: duckdb.DuckDBPyRelation, width: int, rows: int, *, downwards: bool = False) -> str:
    from duckdb import RenderMode

    mode = RenderMode.COLUMNS if downwards else RenderMode.ROWS
    longest = width if width == WIDEST else None
    with redirect_stdout(io.StringIO()) as shown:
        answer.show(max_width=width, max_rows=rows, max_col_width=longest, render_mode=mode)
    return shown.getvalue().rstrip("\n")
