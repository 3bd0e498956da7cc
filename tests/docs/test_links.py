"""Links lead somewhere, and nothing leads to one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, headings, page_id, targets, tracked

# Written in pieces, so that this file does not hold what it forbids.
INDEX = re.compile(
    rb"py" rb"pi\.|pythonhosted" rb"\.|/sim" rb"ple/|--(extra-)?index" rb"-url[ =]|--find" rb"-links[ =]",
    re.I,
)
HOMES = re.compile(rb"(?<![\w.])/(ho" rb"me|Us" rb"ers|ro" rb"ot|wo" rb"rk)/\w")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_relative_link_and_picture_is_there(page: Path) -> None:
    for target in targets(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.is_relative_to(ROOT), f"{target} leads out of the repository"
        assert file.exists(), f"{target} is not there"
        assert not anchor or anchor in headings(file), f"{file.name} has no heading {anchor}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_a_page_is_reached_from_the_readme(page: Path) -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        here = waiting.pop()
        if here in seen or here not in PAGES:
            continue
        seen.add(here)
        waiting += [(here.parent / target.partition("#")[0]).resolve() for target in targets(here)]
    assert page in seen


def test_no_tracked_file_names_a_package_index() -> None:
    assert _holding(INDEX) == []


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    here = [path.encode() for path in {str(ROOT), str(Path.home())} if path.count("/") > 1]
    assert _holding(HOMES) == []
    assert [name for name, content in tracked().items() if any(path in content for path in here)] == []


def _holding(pattern: re.Pattern[bytes]) -> list[str]:
    """Each find as `file: what`; pictures are looked at as well, for what their makers wrote into them."""
    return [
        f"{name}: {found[0].decode(errors='replace')}"
        for name, content in tracked().items()
        if (found := pattern.search(content))
    ]
