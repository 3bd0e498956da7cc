"""The catalogues are complete, and numbers read as the language writes them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

import pytest

import ui
from contracts.covertype import covertype
from ui.language import LANGUAGES, language_of, texts_of

CODE = list(Path(ui.__file__).parent.rglob("*.py"))
OTHERS = [code for code in LANGUAGES if code != "en"]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_every_catalogue_has_the_same_keys(language: str) -> None:
    assert set(texts_of(language).entries) == set(texts_of("en").entries)


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_fills_in_the_same_values(language: str) -> None:
    english, other = texts_of("en").entries, texts_of(language).entries
    assert {key: fields(text) for key, text in other.items()} == {
        key: fields(text) for key, text in english.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty(language: str) -> None:
    assert [key for key, text in texts_of(language).entries.items() if not text.strip()] == []


def test_every_key_in_the_code_is_in_the_catalogue() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    keys = set(re.findall(r'texts\(\s*"([a-z_.0-9]+)"', source))
    assert len(keys) > 50
    assert keys - set(texts_of("en").entries) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_in_the_contract_has_a_name_and_a_description(language: str) -> None:
    entries = texts_of(language).entries
    for column in covertype().features:
        assert f"column.{column.name}" in entries
        assert f"description.{column.name}" in entries
        assert column.unit is None or f"unit.{column.unit}" in entries
    assert [name for name in covertype().class_names if f"cover_type.{name}" not in entries] == []
    zones = {choice.properties["climatic_zone"] for choice in covertype().column("soil_type").choices}
    assert [zone for zone in zones if f"zone.{zone}" not in entries] == []


def test_numbers_are_written_as_the_language_writes_them() -> None:
    assert texts_of("en").number(1234567.891, 2) == "1,234,567.89"
    assert texts_of("es").number(1234567.891, 2) == "1.234.567,89"
    assert texts_of("en").percent(0.1234) == "12.3%"
    assert texts_of("es").percent(0.1234) == "12,3\u00a0%"
    assert texts_of("es")("stage.line.repeated", rows=5810) == "5.810 repetidas"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (400000, "4 d ago")],
)
def test_an_age_is_shown_in_the_largest_unit_that_fits(seconds: int, shown: str) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert texts_of("en").age(now - timedelta(seconds=seconds), now) == shown


@pytest.mark.parametrize(
    ("locale", "language"), [("es-CO", "es"), ("es", "es"), ("en-GB", "en"), ("de-DE", "en"), (None, "en")]
)
def test_the_browser_chooses_the_first_language(locale: str | None, language: str) -> None:
    assert language_of(locale) == language
