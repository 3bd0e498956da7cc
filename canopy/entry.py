"""Where the command begins: with Canopy's own packages, whatever another project has put in front of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Runs the command `canopy`."""
    leave_others_packages_out()
    from canopy.cli import main as run

    run()


def leave_others_packages_out() -> None:
    """Takes folders of another project out of where Python looks, here and in what is started.

    Packages are called `source` or `serving`, and so are those of many a project; and what it has
    beside them may be called as a library is. So nothing of `PYTHONPATH` is looked into.
    """
    names = [place.name for place in PROJECT.iterdir() if (place / "__init__.py").is_file()]
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = [place for place in given if place and _is_ours(Path(place))]
    left_out = {place for place in given if place not in ours}
    sys.path[:] = [
        place for place in sys.path if place not in left_out and not _is_anothers(Path(place), names)
    ]
    if "PYTHONPATH" in os.environ:
        os.environ["PYTHONPATH"] = os.pathsep.join(ours)


def _is_ours(place: Path) -> bool:
    """Checks whether a folder is the project's own, or one of installed packages."""
    return place.resolve() == PROJECT or "site-packages" in place.parts


def _is_anothers(place: Path, names: Iterable[str]) -> bool:
    if _is_ours(place):
        return False
    return any((place / name / "__init__.py").is_file() or (place / f"{name}.py").is_file() for name in names)
