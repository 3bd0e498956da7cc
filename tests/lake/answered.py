"""A query's answer as the bytes that are sent of it."""

from __future__ import annotations

import tempfile

import duckdb

from lake.read.query_result import Format, Pending


def answer_in(query: str, form: Format) -> bytes:
    """All that is sent of an answer in this form."""
    with duckdb.connect() as connection, tempfile.TemporaryFile() as sent:
        Pending(connection, connection.sql(query)).write_to(sent.fileno(), form)
        sent.seek(0)
        return sent.read()
