"""The page with every setting, as the settings classes define them."""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from canopy.settings import PROJECT
from contracts.settings import Settings, variable

ROOMS = ("lake", "source", "expectations", "training", "serving", "ui", "canopy")

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


@cache
def settings_classes() -> list[type[Settings]]:
    """Every settings class of the rooms, in the order of a row's way through them."""
    files = [file for room in ROOMS for file in sorted((PROJECT / room).rglob("*settings.py"))]
    modules = [import_module(_dotted(file)) for file in files if "class " in file.read_text()]
    return [
        found
        for module in modules
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, Settings) and found.__module__ == module.__name__
    ]


def setting_names() -> set[str]:
    """Every variable that is a setting."""
    return {
        variable(settings, name, field)
        for settings in settings_classes()
        for name, field in settings.model_fields.items()
    }


def meanings(settings: type[Settings]) -> dict[str, str]:
    """What each setting means, by its field's name: the Attributes of the class's docstring."""
    _, _, attributes = inspect.cleandoc(settings.__doc__ or "").partition("Attributes:\n")
    pieces = re.split(r"^ {4}(\w+): ", attributes, flags=re.M)
    return {name: " ".join(text.split()) for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}


def _section(settings: type[Settings]) -> str:
    said = meanings(settings)
    rows = [
        f"| `{variable(settings, name, field)}` | {_shown(field.default)} | {_cell(said.get(name, ''))} |"
        for name, field in settings.model_fields.items()
    ]
    title = re.sub(r"Settings$", "", settings.__name__)
    return "\n".join([f"## {title}", "", "| Setting | Default | |", "|---|---|---|", *rows])


def _shown(default: Any) -> str:
    if default is None or default in ((), ""):
        return ""
    if isinstance(default, Path) and default.is_relative_to(PROJECT):
        default = default.relative_to(PROJECT)
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _dotted(file: Path) -> str:
    return ".".join(file.relative_to(PROJECT).with_suffix("").parts)
