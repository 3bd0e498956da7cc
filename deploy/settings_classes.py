"""Every settings class of every package, with what its settings mean."""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from contracts.settings import Settings, variable
from contracts.stack_settings import PROJECT

# In the order of a row's way through them.
PACKAGES = ("lake", "source", "expectations", "training", "serving", "ui", "contracts", "deploy")


@cache
def settings_classes() -> list[type[Settings]]:
    """Returns every settings class of the packages, in the order of a row's way through them."""
    files = [file for package in PACKAGES for file in sorted((PROJECT / package).rglob("*settings.py"))]
    modules = [import_module(_dotted(file)) for file in files if "class " in file.read_text()]
    return [
        found
        for module in modules
        for found in vars(module).values()
        if inspect.isclass(found)
        and issubclass(found, Settings)
        and found.__module__ == module.__name__
        and found.model_fields
    ]


def own_fields(settings: type[Settings]) -> dict[str, FieldInfo]:
    """Returns the fields of a class's own: what it shares with others is listed with the class that it is
    of."""
    prefix = settings.model_config["env_prefix"]
    return {
        name: field
        for name, field in settings.model_fields.items()
        if name in settings.__annotations__ and variable(settings, name, field).startswith(prefix)
    }


def default_of(field: FieldInfo) -> str:
    """Returns a default as it is written in the environment; empty where there is none."""
    default: Any = field.default
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if isinstance(default, Path) and default.is_relative_to(PROJECT):
        return str(default.relative_to(PROJECT))
    return str(default)


def setting_names() -> set[str]:
    """Returns every variable that is a setting."""
    return {
        variable(settings, name, field)
        for settings in settings_classes()
        for name, field in own_fields(settings).items()
    }


def meanings(settings: type[Settings]) -> dict[str, str]:
    """Returns what each setting means, by its field's name: the Attributes of the class's docstring."""
    _, _, attributes = inspect.cleandoc(settings.__doc__ or "").partition("Attributes:\n")
    pieces = re.split(r"^ {4}(\w+): ", attributes, flags=re.M)
    return {name: " ".join(text.split()) for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}


def _dotted(file: Path) -> str:
    return ".".join(file.relative_to(PROJECT).with_suffix("").parts)
