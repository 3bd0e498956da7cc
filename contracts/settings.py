"""What the settings of every package have in common: where they come from, and what one that cannot be
gets."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from contracts.env_file import check_env_file
from contracts.errors import SettingsInvalid
from contracts.outside import masked

FILE = Path(".env")
WHERE = "Correct it in the environment or in .env; .env.example says what it means."
LONGEST_NAME, LONGEST_PATH = 255, 4096
# By the ending of a setting's name, the first that fits: where reckoning with a number still ends in one.
GREATEST = {
    "bytes_per_s": 2**53,
    "timeout_s": 604_800,  # a week; no socket waits for longer than 24 days (2**31 ms)
    "_s": 3_153_600_000,  # a hundred years
    "_hours": 876_000,  # a hundred years, as in days; what is reckoned back from now stays a date
    "_days": 36_500,
    "_mb": 2**20,
    "_megabytes": 2**20,
    "_bytes": 2**60,  # below what a file's size may be
    "": 2**53,  # to there every whole number is one, also as a float and in JSON
}


def is_possible(path: Path) -> bool:
    """Returns whether a file system takes a path (Linux: `NAME_MAX`, `PATH_MAX`)."""
    names = [os.fsencode(part) for part in path.parts]
    return all(len(name) <= LONGEST_NAME for name in names) and len(os.fsencode(path)) < LONGEST_PATH


def _address(url: str) -> str:
    """Takes an address of HTTP. Raises: PydanticCustomError."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as a port that is none
        is_address = False
    if not is_address:
        remedy = "It is to be an address with its scheme, such as http://127.0.0.1:9000"
        raise PydanticCustomError("address", remedy)
    return url


def greatest_of(name: str) -> int:
    """Returns the greatest number that a setting takes which has no bound of its own, by its field's name."""
    return next(greatest for ending, greatest in GREATEST.items() if name.endswith(ending))


def _values_in(value: object) -> Iterable[object]:
    """Returns what a setting holds: itself, or each of several."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, tuple) else (value,)


def _check_number(number: float, greatest: int) -> None:
    """Lets a number pass that can be reckoned with. Raises: PydanticCustomError."""
    if isinstance(number, float) and not math.isfinite(number):
        raise PydanticCustomError("number", "It is to be a finite number")
    if abs(number) > greatest:
        raise PydanticCustomError("number", f"It is to be at most {greatest:,}")


def _path(path: Path) -> Path:
    """Returns a path that can be, from a person's own folder on where it begins so. Raises:
    PydanticCustomError."""
    try:
        path = path.expanduser()
    except RuntimeError:
        raise PydanticCustomError("path", "It is to be a path, and there is no home of that name") from None
    if not is_possible(path):
        remedy = f"It is to be a path of at most {LONGEST_PATH} bytes, {LONGEST_NAME} a name"
        raise PydanticCustomError("path", remedy)
    return path


Address = Annotated[str, AfterValidator(_address)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """Variables of the environment, and lines of `.env` where the environment says nothing.

    An empty value means that nothing is set. A number is at most what `GREATEST` has for its name, or less
    where its field says so; a path may begin with `~`.

    Raises: SettingsInvalid, which names the variable; SettingsFileUnreadable.
    """

    model_config = SettingsConfigDict(
        env_file=FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    @field_validator("*", mode="after")
    @classmethod
    def _can_be_used(cls, value: object, info: ValidationInfo) -> object:
        """Bounds numbers and paths: none is endless, no file system takes every path, and `~` is a
        person's own folder."""
        for one in _values_in(value):
            if isinstance(one, int | float):
                _check_number(one, greatest_of(str(info.field_name)))
        if isinstance(value, tuple):
            return tuple(_path(one) if isinstance(one, Path) else one for one in value)
        return _path(value) if isinstance(value, Path) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Takes `NAME= ` as `NAME=`: nothing is set."""
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = {
                    name: text for name, text in source.env_vars.items() if text and text.strip()
                }
        return init_settings, env_settings, dotenv_settings

    if not TYPE_CHECKING:  # there the fields are the arguments

        def __init__(self, **values: Any) -> None:
            if values.get("_env_file", FILE) is not None:
                check_env_file(FILE)
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise _invalid(type(self), error) from None
            except SettingsError:
                raise _no_json(type(self), values) from None


def env_file(file: Path = FILE) -> dict[str, str]:
    """Returns what a file of settings says; by default that of the working folder. Raises:
    SettingsFileUnreadable."""
    check_env_file(file)
    return {name: value for name, value in dotenv_values(file).items() if value is not None}


def variable(settings: type[BaseSettings], name: str, field: FieldInfo) -> str:
    """Returns the variable of the environment that sets a field."""
    return str(field.validation_alias or f"{settings.model_config['env_prefix']}{name}".upper())


def _invalid(settings: type[BaseSettings], error: ValidationError) -> SettingsInvalid:
    """Returns the first thing that is wrong, by the name that a person knows."""
    first = error.errors()[0]
    where = first["loc"]
    name = next((name for name in settings.model_fields if _is_of(settings, name, where)), None)
    shown = variable(settings, name, settings.model_fields[name]) if name else settings.__name__
    said = first["msg"].replace("Input should", "It is to")
    key = where[1] if name and len(where) > 1 and isinstance(where[1], str) else None
    if key is not None and first["type"] == "string_type":
        remedy = f'The value of "{key}" is to be text: write it in quotes, as in {{"{key}": "…"}}.'
        return SettingsInvalid(shown, {key: first["input"]}, f"{remedy} {WHERE}")
    # A value within a setting, such as one header, is known by the whole way to it.
    value = masked(".".join(map(str, (shown, *where[1:]))), first["input"]) if name else "…"
    return SettingsInvalid(shown, value, f"{said}. {WHERE}")


def _is_of(settings: type[BaseSettings], name: str, where: tuple[int | str, ...]) -> bool:
    """Returns whether a finding is about a field; pydantic knows it by its name or by its alias."""
    alias = settings.model_fields[name].validation_alias
    return bool(where) and str(where[0]) in (name, str(alias))


def _no_json(settings: type[BaseSettings], values: dict[str, Any]) -> SettingsInvalid:
    """Returns the setting that should be JSON and is none."""
    given = {**(env_file() if values.get("_env_file", FILE) is not None else {}), **os.environ}
    for name, field in settings.model_fields.items():
        called = variable(settings, name, field)
        text = given.get(called)
        if text and "dict" in str(field.annotation) and not _is_json(text):
            return SettingsInvalid(called, text, f'It is JSON, such as {{"name": "value"}}. {WHERE}')
    return SettingsInvalid(settings.__name__, "…", f"One of its settings cannot be read. {WHERE}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
