"""The pages of the documentation, and the tracked files."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.es.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
MARKED = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)
PROGRAMS = ("canopy", ".venv/bin/canopy")
ENDS = {"|", ">", "&&", ";"}


def page_id(page: Path) -> str:
    """A page's path as the reports of the tests name it."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        name: Where it stands, for reports.
        language: As the fence names it.
        body: What is between the fences.
        excuse: Why no test runs it, or None.
    """

    name: str
    language: str
    body: str
    excuse: str | None


def blocks(page: Path) -> list[Block]:
    """A page's blocks, in order."""
    return [
        Block(f"{page_id(page)}:{number}", language, body, excuse or None)
        for number, (excuse, language, body) in enumerate(MARKED.findall(page.read_text()), 1)
    ]


def commands(page: Path) -> list[list[str]]:
    """The arguments of every `canopy …` in a page's shell blocks and in its inline code."""
    text = page.read_text()
    blocks = [body for language, body in FENCE.findall(text) if language == "sh"]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    inline = re.findall(r"`([^`\n]+)`", FENCE.sub("", text).replace("\\`", ""))
    found = [_arguments(line) for line in [*lines, *inline] if "canopy" in line and "://" not in line]
    return [arguments for arguments in found if arguments is not None]


def _arguments(line: str) -> list[str] | None:
    """What follows `canopy` on a command line; None where another program is called."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words or words[0] not in PROGRAMS or words[1:2] == ["COMMAND"]:
        return None
    end = next((place for place, word in enumerate(words) if word in ENDS), len(words))
    return words[1:end]


def targets(page: Path) -> list[str]:
    """Where a page's links and pictures lead, outside of code."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def headings(page: Path) -> set[str]:
    """A page's headings as the anchors that links name."""
    found = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@lru_cache(maxsize=1)
def tracked() -> dict[str, bytes]:
    """Every file that git tracks, with its bytes."""
    command = ["git", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=30).stdout.decode()
    files = [ROOT / name for name in listing.split("\0") if name]
    return {page_id(file): file.read_bytes() for file in files if file.is_file()}
