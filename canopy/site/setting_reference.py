"""The page with every setting, as the settings classes define them."""

from __future__ import annotations

import re

from pydantic.fields import FieldInfo

from contracts.settings import Settings, variable
from deploy.settings_classes import default_of, meanings, own_fields, settings_classes

HEAD = """# Settings

Made from the code. A setting is a variable of the environment, or a line of the file `.env` in the working
folder; the environment wins over the file. `.env.example` lists the same settings, to be copied. What the
local stack derives from others (`LAKE_URI` from `CANOPY_HOME`, say) is used only where nobody has set it.

Each line of the file is `NAME=value`, a comment or blank; any other stops every command, and is named. A path
may begin with `~`. No number is endless: `*_TIMEOUT_S` is a week at most, other `*_S`, `*_HOURS` and
`*_DAYS` a hundred years, `*_MB` 1,048,576, `*_BYTES` 2^60 and any other 2^53, unless a setting takes
less."""


def setting_reference() -> str:
    """Markdown: every settings class with its settings, their defaults and what they mean."""
    return "\n\n".join([HEAD, *map(_section, settings_classes())]) + "\n"


def _section(settings: type[Settings]) -> str:
    said = meanings(settings)
    rows = [
        f"| `{variable(settings, name, field)}` | {_shown(field)} | {_cell(said.get(name, ''))} |"
        for name, field in own_fields(settings).items()
    ]
    title = re.sub(r"Settings$", "", settings.__name__)
    return "\n".join([f"## {title}", "", "| Setting | Default | |", "|---|---|---|", *rows])


def _shown(field: FieldInfo) -> str:
    return f"`{default}`" if (default := default_of(field)) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
