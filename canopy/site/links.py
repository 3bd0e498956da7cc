"""Links of the documentation: in the repository they lead to files, on the site to pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from contracts.stack_settings import PROJECT

BESIDE = "http://127.0.0.1:8088/"  # dbt's and the audits' pages, where the site itself is served
# Pages that have another name on the site than in the repository.
RENAMED = {"README.md": "index.md", "README.es.md": "es.md", ".env.example": "reference/settings.md"}
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
ELSEWHERE = re.compile(r"[a-z]+:|/")
CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.M | re.S)


def site_links(markdown: str, origin: str, page: str) -> str:
    """Returns a page's text with its links as the site has them.

    Args:
        markdown: The text as it stands in the repository.
        origin: The file it comes from, such as `docs/api.md`.
        page: The page on the site, such as `api.md`.
    """

    def on_site(link: re.Match[str]) -> str:
        opening, target, anchor, closing = link.groups()
        if target.startswith(BESIDE):
            return f"{opening}/{target.removeprefix(BESIDE)}{closing}"
        if ELSEWHERE.match(target):
            return link[0]
        moved = posixpath.relpath(site_page(_file(target, origin)), posixpath.dirname(page) or ".")
        return f"{opening}{moved}{anchor or ''}{closing}"

    pieces = CODE.split(markdown)
    return "".join(piece if place % 2 else LINK.sub(on_site, piece) for place, piece in enumerate(pieces))


def site_page(file: str) -> str:
    """Returns the page of the site that shows a file of the repository."""
    if file in RENAMED:
        return RENAMED[file]
    return file.removeprefix("docs/") if file.startswith("docs/") else f"code/{file}.md"


def code_pages(markdown: str, origin: str) -> dict[str, str]:
    """Returns pages for the files and folders outside docs/ that a page links to: page to text."""
    links = [match[2] for piece in CODE.split(markdown)[::2] for match in LINK.finditer(piece)]
    files = {_file(target, origin) for target in links if not ELSEWHERE.match(target)}
    return {page: _shown(file) for file in files if (page := site_page(file)).startswith("code/")}


def _file(target: str, origin: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))


def _shown(file: str) -> str:
    path = PROJECT / file
    if not path.exists():  # an image holds what runs, and neither tests nor measurements
        return f"# {file}\n\nThis is in the repository, and not in what is installed here.\n"
    if path.is_dir():
        rows = [f"| `{one.relative_to(path)}` | {_first_line(one)} |" for one in sorted(path.rglob("*.py"))]
        return f"# {file}/\n\n" + "\n".join(["| File | |", "|---|---|", *rows]) + "\n"
    language = {".py": "python", ".yaml": "yaml", ".sql": "sql"}.get(path.suffix, "text")
    return f"# {file}\n\n````{language}\n{path.read_text()}\n````\n"


def _first_line(module: Path) -> str:
    found = re.match(r'"""(.+?)(?:"""|$)', module.read_text())
    return found[1].replace("|", "\\|") if found else ""
