"""What a question may be, decided by what it can do: DuckDB reads it, and its own tree is walked.

These rules say no in words. That nothing is written holds without them: see `lake.read.confined`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import duckdb
from duckdb import StatementType

from contracts.errors import QueryFailed, QueryRefused, QueryWrites
from lake.catalog.tables import quoted

LONGEST = 100_000  # characters
HIDDEN = "__ducklake_metadata"  # the catalog as a database of its own
OF_THE_CATALOG = "it is the catalog's own"

# What makes rows out of nothing, or says what there is; it opens no file, runs no text and changes nothing.
SHOWN_TABLES = frozenset(
    {
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "summary", "json_each", "json_tree"),
        *("duckdb_columns", "duckdb_constraints", "duckdb_functions", "duckdb_keywords", "duckdb_schemas"),
        *("duckdb_tables", "duckdb_types", "duckdb_views", "duckdb_indexes", "icu_calendar_names"),
        *("pg_timezone_names", "pragma_show", "pragma_table_info", "pragma_version", "pragma_collations"),
        *("test_all_types", "regexp_split_to_table"),
        *("ducklake_snapshots", "ducklake_table_info", "ducklake_current_snapshot"),
        *("ducklake_table_changes", "ducklake_table_deletions", "ducklake_table_insertions"),
        # the same as methods of the lake: `from lake.snapshots()`
        *("snapshots", "table_info", "current_snapshot", "last_committed_snapshot"),
        *("table_changes", "table_deletions", "table_insertions"),
    }
)
# A person's own files beside the lake, and what DuckDB knows of itself.
READ_TABLES = SHOWN_TABLES | frozenset(
    {
        *("read_csv", "read_csv_auto", "sniff_csv", "read_parquet", "parquet_scan", "read_text", "read_blob"),
        *("read_json", "read_json_auto", "read_json_objects", "read_json_objects_auto", "read_duckdb"),
        *("read_ndjson", "read_ndjson_auto", "read_ndjson_objects", "glob", "sqlite_scan"),
        *("parquet_bloom_probe", "parquet_file_metadata", "parquet_full_metadata", "parquet_kv_metadata"),
        *("parquet_metadata", "parquet_schema", "histogram", "histogram_values", "query_table"),
        *("duckdb_approx_database_count", "duckdb_coordinate_systems", "duckdb_databases", "duckdb_memory"),
        *("duckdb_dependencies", "duckdb_extensions", "duckdb_optimizers", "duckdb_secrets"),
        *("duckdb_secret_types", "duckdb_sequences", "duckdb_settings", "duckdb_temporary_files"),
        *("duckdb_variables", "pragma_database_size", "pragma_metadata_info", "pragma_platform"),
        *("pragma_storage_info", "pragma_user_agent", "test_vector_types", "which_secret"),
        *("ducklake_list_files", "ducklake_options", "ducklake_settings", "options", "settings"),
        *("ducklake_last_committed_snapshot", "list_files"),
    }
)
# Functions of one value that act, run a text, or read what the machine is set to.
ACTING = frozenset({"write_log", "nextval", "currval", "json_serialize_plan", "json_execute_serialized_sql"})
TELLING = ACTING | {"current_setting", "getenv"}
# Views that say where something is, or what a setting is.
TELLING_VIEWS = frozenset(
    {
        *("duckdb_databases", "pragma_database_list", "duckdb_settings", "duckdb_secrets", "duckdb_logs"),
        *("duckdb_external_file_cache", "duckdb_temporary_files", "duckdb_variables", "pg_settings"),
    }
)
SAYING_PRAGMAS = frozenset(
    {
        *("version", "platform", "database_list", "database_size", "table_info", "show", "show_tables"),
        *("show_tables_expanded", "show_databases", "storage_info", "functions", "collations", "user_agent"),
        "metadata_info",
    }
)
UNSETTABLE = frozenset(
    {"extension_directory", "extension_directories", "custom_extension_repository", "home_directory"}
)
AROUND_A_PIVOT = {StatementType.CREATE, StatementType.TRANSACTION, StatementType.SET}
ASKING = {StatementType.SELECT, StatementType.EXPLAIN}


@dataclass(frozen=True)
class Rules:
    """What one kind of asker may do.

    Attributes:
        table_functions: Functions in the place of a table.
        refused_functions: Functions of one value that are not for it.
        refused_views: Tables that are not for it.
        is_own_hand: Whether it may have several statements, settings, pragmas that say something, and
            EXPLAIN ANALYZE of what it may run anyway.
    """

    table_functions: frozenset[str]
    refused_functions: frozenset[str]
    refused_views: frozenset[str]
    is_own_hand: bool


OF_THE_PAGE = Rules(SHOWN_TABLES, frozenset(TELLING), TELLING_VIEWS, is_own_hand=False)
OF_THE_HAND = Rules(READ_TABLES, ACTING, frozenset(), is_own_hand=True)


@dataclass(frozen=True)
class Token:
    """One word or sign of a text; comments are none."""

    text: str
    start: int  # in bytes
    kind: duckdb.token_type

    @property
    def name(self) -> str:
        """Returns the word as DuckDB compares it."""
        word = self.text[1:-1].replace('""', '"') if self.text.startswith('"') else self.text
        return word.lower()

    @property
    def is_name(self) -> bool:
        """Returns whether it can name something."""
        return self.kind in (duckdb.token_type.identifier, duckdb.token_type.keyword)


END = Token("", 0, duckdb.token_type.operator)


def checked(connection: duckdb.DuckDBPyConnection, query: str, rules: Rules) -> list[list[duckdb.Statement]]:
    """Returns a question's statements as DuckDB runs them: each with what DuckDB itself puts around it.

    Raises: QueryFailed where it is no question; QueryWrites; QueryRefused.
    """
    if len(query) > LONGEST:
        raise QueryFailed(query[:80] + " …", f"it has {len(query):,} characters, and {LONGEST:,} are read")
    strange = next((sign for sign in query if sign == "\0" or "\ud800" <= sign <= "\udfff"), None)
    if strange is not None:
        raise QueryFailed(query, f"it holds {strange!a}, which is no text")
    parts = _parts(query)
    if not parts:
        raise QueryFailed(query, "there is no statement in it")
    if len(parts) > 1 and not rules.is_own_hand:
        raise QueryFailed(query, f"it has {len(parts)} statements, and one is answered at a time")
    return [_checked_part(connection, query, part, rules) for part in parts]


def _parts(query: str) -> list[str]:
    """Returns the text between semicolons that are not within a name, a text or a comment."""
    raw, places = query.encode(), [token.start for token in _tokens(query) if token.text == ";"]
    bounds = pairwise((-1, *places, len(raw)))
    return [part for start, end in bounds if _tokens(part := raw[start + 1 : end].decode())]


def _checked_part(
    connection: duckdb.DuckDBPyConnection, query: str, part: str, rules: Rules
) -> list[duckdb.Statement]:
    tokens = _tokens(part)
    _check_first_words(query, tokens, rules)
    statements = connection.extract_statements(part)
    kinds = [statement.type for statement in statements]
    strange = next((kind for kind in kinds if kind not in AROUND_A_PIVOT | ASKING), None)
    if strange is not None:
        raise QueryWrites(query, strange.name)
    if len(kinds) == 1 and kinds[0] in AROUND_A_PIVOT:
        _check_setting(query, tokens, kinds[0], rules)
    elif sum(kind in ASKING for kind in kinds) != 1:
        raise QueryFailed(query, f"DuckDB reads {len(kinds)} statements where one is expected")
    elif len(kinds) > 1 and not any(token.name.startswith("pivot") for token in tokens):
        raise QueryWrites(query, kinds[0].name)
    elif StatementType.EXPLAIN in kinds:
        _check_explained(connection, query, part, tokens, rules)
    tree = _tree(connection, part)
    if tree is None:
        _check_names(connection, query, tokens, rules)
        _check_texts(connection, query, part, tokens, rules)
    else:
        _check_tree(query, tree, rules)
    return statements


def _check_first_words(query: str, tokens: list[Token], rules: Rules) -> None:
    """Refuses what DuckDB would act on, or replace by another text, while it only reads the statement."""
    first, second = tokens[0].name, tokens[1].name if len(tokens) > 1 else ""
    if first == "import" or (first == "pragma" and not (rules.is_own_hand and second in SAYING_PRAGMAS)):
        raise QueryWrites(query, first.upper())


def _check_setting(query: str, tokens: list[Token], kind: StatementType, rules: Rules) -> None:
    is_set = kind == StatementType.SET and rules.is_own_hand
    if not is_set or any(token.name in UNSETTABLE for token in tokens):
        raise QueryWrites(query, kind.name)


def _check_explained(
    connection: duckdb.DuckDBPyConnection, query: str, part: str, tokens: list[Token], rules: Rules
) -> None:
    """Refuses ANALYZE, which runs what it explains; and only what may be asked is explained."""
    place, words = 1, set[str]()
    if len(tokens) > place and tokens[place].text == "(" and _is_option(tokens[place + 1 :]):
        while tokens[place].text != ")":
            words.add(tokens[place].name)
            place += 1
        place += 1
    while len(tokens) > place and tokens[place].name in ("analyze", "analyse", "verbose"):
        words.add(tokens[place].name)
        place += 1
    if words & {"analyze", "analyse"} and not rules.is_own_hand:
        raise QueryWrites(query, "EXPLAIN ANALYZE")
    inner = part.encode()[tokens[place].start :].decode() if len(tokens) > place else ""
    kinds = [statement.type for statement in connection.extract_statements(inner)]
    if StatementType.SELECT not in kinds or StatementType.EXPLAIN in kinds:
        raise QueryWrites(query, f"EXPLAIN {kinds[0].name}" if kinds else "EXPLAIN")
    _checked_part(connection, query, inner, rules)


def _is_option(tokens: list[Token]) -> bool:
    return bool(tokens) and tokens[0].name in ("analyze", "analyse", "verbose", "format", "costs", "buffers")


def _check_names(
    connection: duckdb.DuckDBPyConnection, query: str, tokens: list[Token], rules: Rules
) -> None:
    """Checks by the words where DuckDB gives no tree, as for a PIVOT: whatever stands before a bracket."""
    of_values, of_tables = _known_functions(connection)
    for token, following in pairwise((*tokens, END)):
        if not token.is_name:
            continue
        _check_place(query, [token.name], rules)
        is_table = token.name in of_tables or token.name not in of_values
        is_word = token.kind == duckdb.token_type.keyword and token.name not in of_tables
        if following.text == "(" and not is_word:
            _check_function(query, token.name, rules, is_table=is_table)


def _check_texts(
    connection: duckdb.DuckDBPyConnection, query: str, part: str, tokens: list[Token], rules: Rules
) -> None:
    """Checks each text between quotes as the table that it names where DuckDB takes it for one."""
    raw = part.encode()
    for token, following in pairwise((*tokens, Token("", len(raw), END.kind))):
        if token.kind == duckdb.token_type.string_const:
            tree = _tree(connection, f"from {raw[token.start : following.start].decode()}")
            _check_tree(query, tree, rules)


def _tree(connection: duckdb.DuckDBPyConnection, part: str) -> Any:
    # Without a parameter: to bind one, DuckDB imports pandas, half a second.
    row = connection.execute(f"select json_serialize_sql({quoted(part)})").fetchone()
    tree = json.loads(row[0]) if row else {}
    return None if tree.get("error", True) else tree["statements"]


def _check_tree(query: str, tree: Any, rules: Rules) -> None:
    for node in _nodes(tree):
        kind = node.get("type")
        if kind == "TABLE_FUNCTION":
            _check_function(query, _called(node), rules, is_table=True)
        elif kind == "BASE_TABLE":
            _check_table(query, node, rules)
        elif "function_name" in node:
            _check_function(query, str(node["function_name"]).lower(), rules, is_table=False)


def _known_functions(connection: duckdb.DuckDBPyConnection) -> tuple[set[str], set[str]]:
    """Returns the names of the functions of one value, and of those in the place of a table."""
    rows = connection.execute("select lower(function_name), function_type from duckdb_functions()").fetchall()
    of_tables = {name for name, kind in rows if kind in ("table", "table_macro")}
    return {name for name, kind in rows if kind not in ("table", "table_macro", "pragma")}, of_tables


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yields every object of the tree, without recursion: a question may be nested deeply."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            yield node
            waiting.extend(_below(node))


def _below(node: dict[str, Any]) -> list[Any]:
    """Returns what is within a node; of a function in the place of a table only what it is given."""
    if node.get("type") == "TABLE_FUNCTION":
        given = {key: value for key, value in node.get("function", {}).items() if key != "function_name"}
        return [given, *(value for key, value in node.items() if key != "function")]
    return list(node.values())


def _called(node: dict[str, Any]) -> str:
    return str(node.get("function", {}).get("function_name", "")).lower()


def _check_function(query: str, name: str, rules: Rules, *, is_table: bool) -> None:
    if is_table and name not in rules.table_functions:
        raise QueryRefused(query, f"{name}()", "it is none of the functions that only read the lake")
    if name in rules.refused_functions:
        raise QueryRefused(query, f"{name}()", "it does more than compute a value")


def _check_table(query: str, node: dict[str, Any], rules: Rules) -> None:
    places = [str(node.get(key) or "").lower() for key in ("catalog_name", "schema_name", "table_name")]
    _check_place(query, places, rules)


def _check_place(query: str, places: list[str], rules: Rules) -> None:
    if any(place.startswith(HIDDEN) for place in places):
        raise QueryRefused(query, places[-1], OF_THE_CATALOG)
    if places[-1] in rules.refused_views:
        raise QueryRefused(query, places[-1], "it says how this machine is set up")


def _tokens(text: str) -> list[Token]:
    raw, found = text.encode(), duckdb.tokenize(text)
    ends = [*(start for start, _ in found[1:]), len(raw)]
    return [
        Token(_word(raw[start:end].decode(errors="replace")), start, kind)
        for (start, kind), end in zip(found, ends, strict=False)
    ]


def _word(text: str) -> str:
    """Returns the word or sign that a text begins with; blanks and comments may follow it."""
    found = re.match(r'"(?:[^"]|"")*"|\w+|.', text, re.DOTALL)
    return found.group() if found else ""
