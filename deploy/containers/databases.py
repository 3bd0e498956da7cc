"""The stack's databases and their users: PostgreSQL for Airflow and the catalog, MySQL for MLflow."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
import pymysql
from psycopg2 import sql

# MLflow's accounts are here: their migrations name two constraints alike, which MySQL refuses.
OWNERS = {"airflow": "airflow", "lake": "transform", "mlflow_accounts": "mlflow"}
READERS = ("ingest", "training", "reader", "analyst")
# What a statement of theirs may write to the disk meanwhile, such as to sort by it; none of Canopy does so.
SPILLED = "1GB"
# Connections of each at most, and how long the server runs one statement of it: DuckDB's own limits end
# before the server. Of the server's 200 connections this leaves Airflow, which is on it as well, 70 and more.
BOUNDS = {"ingest": (20, "120s"), "training": (30, "300s"), "reader": (50, "20s"), "analyst": (30, "60s")}


def make_roles(host: str, password: str, roles: dict[str, str]) -> None:
    """Makes PostgreSQL's roles with these passwords and limits, and the databases that they own.

    A role may change its own password and lift its own time of a statement: each start sets them anew.
    """
    with closing(_postgres(host, password, "postgres")) as connection, connection.cursor() as cursor:
        for role, secret in roles.items():
            _make_role(cursor, role, secret)
        for database, owner in OWNERS.items():
            _make_database(cursor, database, owner)
        # Everybody may connect to the server's own, and write there without a bound of the disk.
        cursor.execute("revoke all on database postgres, template1 from public")


def let_read(host: str, password: str) -> None:
    """Lets the readers of the catalog read what is in it and what will be, and nobody else even connect."""
    readers = sql.SQL(", ").join(map(sql.Identifier, READERS))
    with closing(_postgres(host, password, "lake")) as connection, connection.cursor() as cursor:
        for statement in (
            "grant connect on database lake to {}",
            "grant usage on schema public to {}",
            "grant select on all tables in schema public to {}",
            "alter default privileges for role transform in schema public grant select on tables to {}",
        ):
            cursor.execute(sql.SQL(statement).format(readers))
        for reader in READERS:  # a role may set what it likes for itself
            cursor.execute(sql.SQL("alter role {} in database lake reset all").format(sql.Identifier(reader)))
        _take_functions(cursor)


def make_mysql(host: str, password: str, owner_password: str) -> None:
    """Makes MLflow's database of runs and models, and its user."""
    opened = pymysql.connect(host=host, user="root", password=password)
    with closing(opened) as connection, connection.cursor() as cursor:
        cursor.execute("create user if not exists 'mlflow'@'%%' identified by %s", (owner_password,))
        cursor.execute("alter user 'mlflow'@'%%' identified by %s", (owner_password,))
        cursor.execute("create database if not exists mlflow")
        cursor.execute("grant all on mlflow.* to 'mlflow'@'%'")


def _take_functions(cursor: Any) -> None:
    """Takes from everybody what nobody needs and who may only read has all the same: to write without a bound
    to the disk, as large objects (before version 16 in a transaction that only reads, too) and as messages in
    the log.
    """
    written = "^(lo(_.*|read|write)|pg_logical_emit_message)$"
    named = f"pronamespace = 'pg_catalog'::regnamespace and proname ~ '{written}'"
    cursor.execute(f"select oid::regprocedure::text from pg_proc where {named}")  # noqa: S608
    for (function,) in cursor.fetchall():
        cursor.execute(f"revoke execute on function {function} from public")


def _postgres(host: str, password: str, database: str) -> Any:
    connection = psycopg2.connect(host=host, user="postgres", password=password, dbname=database)
    connection.autocommit = True
    return connection


def _make_role(cursor: Any, role: str, secret: str) -> None:
    cursor.execute("select 1 from pg_roles where rolname = %s", (role,))
    verb = "alter" if cursor.fetchone() else "create"
    statement = sql.SQL(verb + " role {} login password {}")
    cursor.execute(statement.format(sql.Identifier(role), sql.Literal(secret)))
    if role in BOUNDS:
        connections, longest = BOUNDS[role]
        cursor.execute(sql.SQL("alter role {} reset all").format(sql.Identifier(role)))
        for statement, value in (
            ("alter role {} connection limit {}", connections),
            ("alter role {} set statement_timeout = {}", longest),
            ("alter role {} set temp_file_limit = {}", SPILLED),
        ):
            cursor.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(value)))


def _make_database(cursor: Any, database: str, owner: str) -> None:
    names = {"database": sql.Identifier(database), "owner": sql.Identifier(owner)}
    cursor.execute("select 1 from pg_database where datname = %s", (database,))
    if not cursor.fetchone():
        cursor.execute(sql.SQL("create database {database} owner {owner}").format(**names))
    cursor.execute(sql.SQL("revoke all on database {database} from public").format(**names))
