"""The contract as Jinja reads it."""

from __future__ import annotations

from jinja2 import Environment

from contracts.dbt_macro import _literal


def test_a_literal_is_read_as_it_was_written() -> None:
    for value in (None, [None, 1, "a"], {"says": "a bound: null, or none", "at": {"most": None}}, "it's"):
        assert (
            Environment(autoescape=True).compile_expression(_literal(value), undefined_to_none=False)()
            == value
        )
