"""The words on the screen: one catalogue a language."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from contracts.covertype import Choice, Column

FOLDER = Path(__file__).with_name("texts")
LANGUAGES = {"en": "English", "es": "Español"}


@dataclass(frozen=True)
class Texts:
    """The texts of one language, by dotted key.

    Attributes:
        language: Its code, such as `es`.
        entries: Texts by key; `{name}` in a text is filled in.
    """

    language: str
    entries: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Returns a text with its values filled in; whole numbers are grouped. Raises: KeyError."""
        shown = {name: self.number(value) if type(value) is int else value for name, value in values.items()}
        return self.entries[key].format(**shown)

    def get(self, key: str, otherwise: str) -> str:
        """Returns a text, or another one where the catalogue has none, as for a state that Airflow adds."""
        return self.entries.get(key, otherwise)

    def number(self, value: float | None, digits: int = 0) -> str:
        """Returns a number with the language's separators: 1,234.5 or 1.234,5; a dash for none."""
        if value is None:
            return "–"
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "es" else text

    def percent(self, share: float, digits: int = 1) -> str:
        """Returns a share as a percentage."""
        return self.number(100 * share, digits) + ("\u00a0%" if self.language == "es" else "%")

    def age(self, moment: datetime, now: datetime | None = None) -> str:
        """Returns how long ago a moment was, in the largest unit that fits."""
        seconds = max(0, int(((now or datetime.now(UTC)) - moment).total_seconds()))
        for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
            if seconds >= size:
                return self(f"age.{unit}", count=seconds // size)
        return self("age.seconds", count=seconds)

    def duration(self, seconds: float) -> str:
        """Returns a length of time, as short as it can be read."""
        if seconds < 60:
            return f"{self.number(seconds, 0 if seconds >= 10 else 1)} s"
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"

    def column(self, column: Column) -> str:
        """Returns a column's name for people, with its unit."""
        unit = "" if column.unit is None else f" ({self(f'unit.{column.unit}')})"
        return self(f"column.{column.name}") + unit

    def description(self, column: Column) -> str:
        """Returns a column's description; the contract itself speaks English."""
        return self.get(f"description.{column.name}", column.description)

    def soil(self, choice: Choice) -> str:
        """Returns a soil type's code, name and zones."""
        climate = self.get(f"zone.{choice.properties['climatic_zone']}", choice.properties["climatic_zone"])
        return f"{choice.value} · {choice.label} · {climate}"

    def cover_type(self, name: str) -> str:
        """Returns a cover type's name for people."""
        return self.get(f"cover_type.{name}", name)


@lru_cache(maxsize=len(LANGUAGES))
def texts_of(language: str) -> Texts:
    """Returns the catalogue of a language, read once."""
    document = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return Texts(language, dict(_flattened(document)))


def language_of(locale: str | None) -> str:
    """Returns the catalogue that suits a browser's locale, such as `es-CO`."""
    code = (locale or "").lower().partition("-")[0]
    return code if code in LANGUAGES else "en"


def _flattened(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if isinstance(value, str):
            yield prefix + name, value
        else:
            yield from _flattened(value, f"{prefix}{name}.")
