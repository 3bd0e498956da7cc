"""Renders the data contract into dbt: `python -m contracts.dbt_macro`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from contracts.covertype import Column, Contract, covertype

PROJECT = Path(__file__).parents[1] / "dbt_project"
HEAD = "{# Rendered from contracts/covertype.yaml by `python -m contracts.dbt_macro`: edit that file. #}"


def render(contract: Contract) -> dict[Path, str]:
    """Returns what dbt must know of the contract, by file within the dbt project: its macros, its
    descriptions."""
    return {
        Path("macros", "contract.sql"): render_macros(contract),
        Path("models", "contract.md"): render_descriptions(contract),
    }


def render_macros(contract: Contract) -> str:
    """Returns macros for the contract's version, its columns and the values of its enumerations."""
    columns = [_literal(_facts(column)) for column in contract.columns]
    choices = [
        f"{json.dumps(column.name)}: {_lines([_literal(asdict(choice)) for choice in column.choices], 8)}"
        for column in contract.columns
        if column.choices
    ]
    return "\n\n".join(
        [
            HEAD,
            _macro("contract_version()", json.dumps(contract.version)),
            _macro("contract_columns()", _lines(columns, 4)),
            _macro("contract_choices(name)", f"{{{_joined(choices, 8)}\n    }}[name]"),
        ]
    )


def render_descriptions(contract: Contract) -> str:
    """Returns one dbt docs block for each column, with its unit."""
    return "\n".join(
        f"{{% docs {column.name} %}}\n{describe(column)}\n{{% enddocs %}}\n" for column in contract.columns
    )


def describe(column: Column) -> str:
    """Returns a column's description with its unit and its bounds, for people."""
    if column.kind == "string":
        return f"{column.description} Unit: none, one of {len(column.choices)} names."
    unit = column.unit or "none, a class number"
    return f"{column.description} Unit: {unit}; from {column.minimum} to {column.maximum}."


def main() -> None:
    """Writes the rendered files into the dbt project."""
    for path, text in render(covertype()).items():
        (PROJECT / path).write_text(text, encoding="utf-8")


def _facts(column: Column) -> dict[str, object]:
    names = ("source_name", "name", "kind", "unit", "minimum", "maximum", "values", "is_label")
    return {name: getattr(column, name) for name in names}


def _macro(signature: str, value: str) -> str:
    return f"{{% macro {signature} %}}\n    {{{{ return({value}) }}}}\n{{% endmacro %}}\n"


def _lines(items: list[str], indent: int) -> str:
    return f"[{_joined(items, indent + 4)}\n{' ' * indent}]"


def _joined(items: list[str], indent: int) -> str:
    return "".join(f"\n{' ' * indent}{item}," for item in items)


def _literal(value: object) -> str:
    """Returns a Jinja literal, which is JSON but for the name of nothing."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
