"""Building the documentation's pages with mkdocs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from contracts.errors import FolderTaken, PagesBroken
from contracts.stack_settings import PROJECT, StackSettings

CONFIGURATION = PROJECT / "mkdocs.yml"
MARK = ".canopy-pages"  # lies in every folder that was built here, and that may be replaced
# What the pages are made from: texts, the commands' help, errors, settings, and files that pages link to.
FOLDERS = (
    *("docs", "bench", "canopy", "clients", "contracts", "deploy", "expectations", "lake"),
    *("pipeline", "serving", "source", "training", "ui"),
)


def build_pages(target: Path) -> Path:
    """Builds the pages into a folder, which shows the old ones until the new ones are whole.

    Returns: The first page.
    Raises: FolderTaken if the folder has anything else in it; PagesBroken, naming what mkdocs warns of.
    """
    _check_replaceable(target)
    if not CONFIGURATION.exists():
        raise PagesBroken(f"{CONFIGURATION} is not there; the pages come with a checkout of the repository")
    made = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _run_mkdocs(made)
        (made / MARK).touch()
        _swap(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target / "index.html"


def build_unless_current(target: Path) -> None:
    """Builds the pages unless they are there and current. Raises: as `build_pages`."""
    if not are_current(target):
        build_pages(target)


def are_current(target: Path) -> bool:
    """Returns whether the pages are there and younger than all that they are made from."""
    first = target / "index.html"
    if not first.is_file():
        return False
    built = first.stat().st_mtime
    texts = [CONFIGURATION, *PROJECT.glob("README*.md")]
    texts += [file for name in FOLDERS for file in (PROJECT / name).rglob("*.*")]
    return all(file.stat().st_mtime <= built for file in texts if file.suffix != ".pyc")


def _check_replaceable(target: Path) -> None:
    """Raises: FolderTaken."""
    if not os.path.lexists(target):
        return
    if not target.is_dir() or target.is_symlink():
        raise FolderTaken(target, "is no folder")
    # What lies in the home folder was built before there was a mark.
    is_ours = (target / MARK).is_file() or target == StackSettings().pages_folder
    if not is_ours and any(target.iterdir()):
        raise FolderTaken(target, "holds something that was not built here")


def _run_mkdocs(made: Path) -> None:
    # It warns of mkdocs 2, which is another program; the lock has mkdocs 1.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "true", "NO_COLOR": "1"}
    made.parent.mkdir(parents=True, exist_ok=True)
    # Not --quiet: it would keep --strict from counting warnings.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(made)]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))]
        raise PagesBroken("; ".join(" ".join(line.split()) for line in lines) or done.stderr[-500:])


def _swap(made: Path, target: Path) -> None:
    old = target.with_name(f"{made.name}.old")
    if os.path.lexists(target):
        target.rename(old)
    made.rename(target)
    shutil.rmtree(old, ignore_errors=True)
