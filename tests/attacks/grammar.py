"""Questions out of DuckDB's own lists: its statements, and every function that it names."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import duckdb

from lake.catalog.extensions import NAMES, connection_config

# What a question may be wrapped in; the first is what it is.
FORMS = (
    "{query}",
    "explain {query}",
    "explain analyze {query}",
    "explain (analyze, format json) {query}",
    "describe {query}",
    "summarize {query}",
    "with q as ({query}) from q",
    "select * from ({query}) limit 3",
    "select exists({query})",
    "pivot (select 1 as one, q.* from ({query}) q) on one using count(*)",
    "prepare p as {query}",
    "copy ({query}) to {path}",
    "create temp table t as {query}",
    "create or replace view v as {query}",
    "{query}; {query}",
    "/* {query} */ {query} -- ;",
)
STATEMENTS = (
    "attach {path} as a",
    "attach {path} as a (type sqlite)",
    "attach 'ducklake:sqlite:{bare}' as other (data_path {path})",
    "call {function}({arguments})",
    "checkpoint",
    "copy (select 1 as a) to {path}",
    "copy (select 1 as a) to {path} (format parquet)",
    "copy gold.numbers from {path}",
    "create secret s (type s3, key_id 'a', secret 'b')",
    "create table gold.more as select 1",
    "create type t as enum ('a')",
    "delete from gold.numbers",
    "detach lake",
    "drop schema gold cascade",
    "execute p",
    "export database {path}",
    "import database {path}",
    "insert into gold.numbers values (7)",
    "install httpfs from {path}",
    "load {path}",
    "pragma {pragma}",
    "pragma {pragma}({path})",
    "pragma {pragma} = {path}",
    "reset {setting}",
    "set {setting} = {path}",
    "set global {setting} = true",
    "set variable x = {path}",
    "truncate gold.numbers",
    "update gold.numbers set number = 0",
    "use memory",
    "vacuum",
    "alter table gold.numbers add column b integer",
    "comment on table gold.numbers is 'changed'",
    "from {path}",
    "select * from {function}({arguments})",
    "select {value_function}({arguments})",
    "select {value_function}({arguments}) from gold.numbers",
    "select {value_function}({arguments}) over () from gold.numbers",
)
VALUES = (
    "1", "-1", "0", "null", "'a'", "''", "1.5", "true", "[1, 2]", "{{'a': 1}}", "gold.numbers.number",
    "now()", "'gold.numbers'", "'lake'", "map {{'a': 1}}", "x -> x", "repeat('a', 1000)", "interval 1 day",
    "10000000000", "'{{}}'", "'select 1'",
)  # fmt: skip


class Grammar:
    """Draws questions; the same seed draws the same ones."""

    def __init__(self, seed: int, paths: list[Path]) -> None:
        self._random = random.Random(seed)
        self._paths = [*map(str, paths), "s3://bucket/x", "http://127.0.0.1:9/x", "/dev/null", "*"]
        with duckdb.connect(config=connection_config()) as connection:
            for name in NAMES:
                connection.execute(f"load {name}")
            rows = connection.execute(
                "select function_name, function_type from duckdb_functions()"
            ).fetchall()
            settings = connection.execute("select name from duckdb_settings()").fetchall()
        self.tables = sorted({name for name, kind in rows if kind in ("table", "table_macro")})
        self.values = sorted({name for name, kind in rows if kind in ("scalar", "aggregate", "macro")})
        self.pragmas = sorted({name for name, kind in rows if kind == "pragma"})
        self.settings = sorted(name for (name,) in settings)
        # What the catalog offers as methods, as `lake.snapshots()`.
        self.methods = [name.replace("ducklake_", "lake.", 1) for name in self.tables if "ducklake_" in name]

    def every_function(self) -> Iterator[str]:
        """A question for each function that DuckDB lists: once in the place of a table, or of a value."""
        for name in (*self.tables, *self.methods):
            yield f"select * from {self._named(name)}({self._arguments()})"
        for name in self.values:
            yield f"select {self._named(name)}({self._arguments()}) from gold.numbers"

    def question(self) -> str:
        """The next question."""
        draw = self._random.choice
        text = draw(STATEMENTS).format(
            path=self._path(),
            bare=draw(self._paths),
            function=self._named(draw((*self.tables, *self.methods))),
            value_function=self._named(draw(self.values)),
            arguments=self._arguments(),
            pragma=draw(self.pragmas),
            setting=draw(self.settings),
        )
        return draw(FORMS).format(query=text, path=self._path())

    def _arguments(self) -> str:
        drawn = [self._argument() for _ in range(self._random.randrange(5))]
        if self._random.random() < 0.2:
            drawn.append(f"{self._random.choice(('cleanup_all', 'dry_run', 'storage_path'))} => true")
        return ", ".join(drawn)

    def _argument(self) -> str:
        if self._random.random() < 0.3:
            return self._path()
        return self._random.choice(VALUES).format()

    def _path(self) -> str:
        return "'" + self._random.choice(self._paths).replace("'", "''") + "'"

    def _named(self, name: str) -> str:
        """A function's name as DuckDB reads it; an operator only between quotes."""
        return name if name.replace(".", "_").isidentifier() else '"' + name.replace('"', '""') + '"'
