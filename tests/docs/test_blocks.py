"""Every block of code in the documentation is run, or says right above it why it is not."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from lake.bronze.held import hold, holds
from lake.objects import open_objects
from lake.publish.pointer import Publication
from lake.settings import LakeSettings
from tests.docs.pages import PAGES, ROOT, Block, blocks, page_id

# Pages whose blocks have a test of their own, which runs each of them.
ELSEWHERE = {
    "docs/analysts.md": "tests/docs/test_analysts.py",
    "docs/api.md": "tests/serving/test_api_page.py",
}
DRAWN = "tests/canopy/test_site.py"  # draws the diagrams in a browser
EVERY = [block for page in PAGES for block in blocks(page)]
RUN = {
    page_id(page): found
    for page in PAGES
    if page_id(page) not in ELSEWHERE
    and (found := [block for block in blocks(page) if block.language == "sh" and not block.excuse])
}
LANDING = re.compile(r"\bLANDING\b")


@pytest.mark.parametrize("block", EVERY, ids=lambda block: block.name)
def test_a_block_is_run_or_says_why_not(block: Block) -> None:
    is_run = block.language in ("sh", "json", "mermaid") or _page(block) in ELSEWHERE
    assert is_run or block.excuse, f"{block.name} ({block.language}) is not run by a test; say why above it"
    assert block.excuse is None or len(block.excuse) > 15, "a reason is a sentence"


def test_every_fence_is_seen() -> None:
    """A block that is indented, or whose fence is spelled otherwise, would slip through."""
    for page in PAGES:
        fences = re.findall(r"^\s*(?:```|~~~)", page.read_text(), re.M)
        assert len(fences) == 2 * len(blocks(page)), page_id(page)


def test_what_a_reason_refers_to_is_there() -> None:
    reasons = [block.excuse for block in EVERY if block.excuse]
    named = [name for reason in reasons for name in re.findall(r"tests/[\w/]+(?:\.py)?", reason)]
    assert [name for name in [*named, DRAWN] if not (ROOT / name).exists()] == []
    for page, file in ELSEWHERE.items():
        assert f'"{Path(page).name}"' in (ROOT / file).read_text()


@pytest.mark.parametrize("block", [b for b in EVERY if b.language == "json"], ids=lambda block: block.name)
def test_a_json_block_is_json(block: Block) -> None:
    assert json.loads(block.body)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_run_one_after_the_other(
    folder: Path, first: Publication, environment: dict[str, str], page: str
) -> None:
    """Where the lake was made, for a catalog knows its lake by its path; one landing of it is held back."""
    landing = _hold_one(folder, RUN[page])
    for block in RUN[page]:
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", LANDING.sub(landing, block.body)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert ended.returncode == 0, f"{block.name}:\n{ended.stdout}\n{ended.stderr}"


def _hold_one(folder: Path, printed: list[Block]) -> str:
    """Holds a landing back that was not held before, where a page speaks of one; its name."""
    if not any(LANDING.search(block.body) for block in printed):
        return ""
    lake = LakeSettings(uri=f"{folder}/.canopy/lake", catalog=f"sqlite:{folder}/.canopy/catalog.sqlite")
    objects = open_objects(lake)
    known = {found.landing_id for found in holds(objects)}
    landing = next(name for key in objects.keys("bronze/rows") if (name := Path(key).stem) not in known)
    hold(objects, landing, ["psi=1.5 feature=slope_deg"])
    return landing


def _page(block: Block) -> str:
    return block.name.rpartition(":")[0]
