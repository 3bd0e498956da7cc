"""The README says the same in both languages, as far as that can be seen without reading it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import FENCE, ROOT, Block, blocks, targets

ENGLISH, SPANISH = ROOT / "README.md", ROOT / "README.es.md"


def test_headings_have_the_same_levels_in_the_same_order() -> None:
    assert _levels(ENGLISH) == _levels(SPANISH)


def test_blocks_are_the_same_but_for_what_people_read_in_them() -> None:
    english, spanish = ([_bare(block) for block in blocks(page)] for page in (ENGLISH, SPANISH))
    assert english == spanish


def test_links_and_pictures_lead_to_the_same_places_in_the_same_order() -> None:
    swapped = {"README.md": "README.es.md"}
    assert targets(ENGLISH) == [swapped.get(target, target) for target in targets(SPANISH)]


def test_tables_have_the_same_rows_with_the_same_commands_and_figures() -> None:
    english, spanish = _tables(ENGLISH), _tables(SPANISH)
    assert [len(row) for row in english] == [len(row) for row in spanish]
    for left, right in zip(english, spanish, strict=True):
        assert [_kept(cell) for cell in left] == [_kept(cell) for cell in right], (left, right)


def test_the_same_commands_settings_and_figures_are_named() -> None:
    assert _named(ENGLISH) == _named(SPANISH)


def test_the_languages_differ() -> None:
    """Else a copy would pass."""
    ours, theirs = (set(page.read_text().splitlines()) for page in (ENGLISH, SPANISH))
    prose = {line for line in ours & theirs if re.search(r"[a-z]{4,} [a-z]{4,} [a-z]{3,}", line)}
    assert {line for line in prose if not line.startswith((".venv", "|", "    "))} == set()


@pytest.mark.parametrize(
    ("there", "here"),
    [("## One\n", "### One\n"), ("[a](b.md)", "[a](c.md)"), ("| `x` | 1 |\n", "| `y` | 1 |\n")],
)
def test_a_difference_is_noticed(tmp_path: Path, there: str, here: str) -> None:
    pages = []
    for name, text in (("a", there), ("b", here)):
        pages.append(tmp_path / name)
        pages[-1].write_text(text)
    seen = [
        (_levels(page), targets(page), [[_kept(cell) for cell in row] for row in _tables(page)])
        for page in pages
    ]
    assert seen[0] != seen[1]


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def _levels(page: Path) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", _prose(page), re.M)]


def _bare(block: Block) -> tuple[str, str, bool]:
    """Without comments, and without the words of a diagram."""
    text = re.sub(r"\s+#.*", "", block.body)
    if block.language == "mermaid":
        text = re.sub(r"\|[^|]*\||[\[({]+[^\])}]*[\])}]+", "", text)
    return block.language, text, block.excuse is None


def _tables(page: Path) -> list[list[str]]:
    lines = [line.strip() for line in _prose(page).splitlines() if line.strip().startswith("|")]
    return [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in lines]


def _kept(cell: str) -> list[str]:
    """What no language changes in a cell: code and figures."""
    return sorted(re.findall(r"`[^`]+`", cell)) + re.findall(r"\d[\d.,]*", re.sub(r"`[^`]+`", "", cell))


def _named(page: Path) -> list[str]:
    return sorted(set(re.findall(r"`([^`\n]+)`", _prose(page))))
