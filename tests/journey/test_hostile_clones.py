"""A clone of hostile name, of another account, behind a dead proxy: the demo ends, or is refused at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.start_part import processes_of
from tests.canopy.checkout import check_out
from tests.ui.parts import free_port

pytestmark = [pytest.mark.longest, pytest.mark.timeout(1800)]

WORK = ["it's mine", 'Proyecto #2 (2025) 100% "año niño"', "{curly}; `id`, -dash", "-rf", " a & b | c > d "]
REFUSED = ["lake [v2]", "star*", "what?", "new\nline", "back\\slash", "cash $HOME"]
SOMEBODY = 12_345  # an account without a name
AROUND = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "LANG": "C",
    "LC_ALL": "C",
    "TZ": "Pacific/Kiritimati",
    "WEB_CONCURRENCY": "4",
}
PORTS = ("SOURCE", "AIRFLOW", "MLFLOW", "SERVING", "UI", "DOCS", "MONITOR")


@dataclass(frozen=True)
class Clone:
    """A clone of somebody's.

    Attributes:
        folder: Where it lies.
        temporary: For what the system's folder of temporary files is.
        environment: What the shell holds.
    """

    folder: Path
    temporary: Path
    environment: dict[str, str]

    def demo(self) -> subprocess.CompletedProcess[str]:
        """Runs the README's command."""
        return subprocess.run(
            [*as_somebody(), "make", "demo", "ARGS=--exit"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=1500,
        )


def as_somebody() -> list[str]:
    """How a command is run as another account, where this one may choose."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"]


def interpreter() -> str:
    """A Python that the other account may run too."""
    for found in (sys._base_executable, "/usr/bin/python3"):  # type: ignore[attr-defined]
        # Not by setpriv itself: it looks a program up with the rights that it gives away.
        command = [*as_somebody(), "sh", "-c", "exec $0 -c ''", found]
        done = subprocess.run(command, cwd="/", check=False, capture_output=True)
        if done.returncode == 0:
            return str(found)
    pytest.fail("no interpreter of this machine can be run by another account")


def give_away(folder: Path) -> None:
    """Makes a folder the other account's, with all in it."""
    if as_somebody():
        subprocess.run(["chown", "-R", f"{SOMEBODY}:{SOMEBODY}", folder], check=True)


@pytest.fixture(scope="module")
def packages() -> Iterator[Path]:
    """Where the other account keeps what it has downloaded: once for all clones."""
    folder = Path(tempfile.mkdtemp(prefix="packages-"))
    give_away(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=[*WORK, *REFUSED])
def clone(request: pytest.FixtureRequest, packages: Path) -> Iterator[Clone]:
    # Not below pytest's folder, which it closes to other accounts whenever it begins.
    top = Path(tempfile.mkdtemp(prefix="clone-"))
    top.chmod(0o755)
    folder, home, temporary = top / request.param, top / "home", top / "temporary"
    check_out(folder)
    for made in (home, temporary):
        made.mkdir()
    give_away(top)
    # Before the proxy that is dead: nothing could be installed through it.
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "XDG_"))}
    done = subprocess.run(
        [*as_somebody(), "make", "install", f"PYTHON={interpreter()}"],
        cwd=folder,
        env=theirs | {"HOME": str(home), "LC_ALL": "C", "UV_CACHE_DIR": str(packages)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    ports = {f"CANOPY_{name}_PORT": str(free_port()) for name in PORTS}
    places = {"HOME": str(home), "TMPDIR": str(temporary), "PATH": os.environ["PATH"]}
    yield Clone(folder, temporary, AROUND | ports | places | {"PYTHONDONTWRITEBYTECODE": ""})
    shutil.rmtree(top)


@pytest.mark.parametrize("clone", WORK, indirect=True)
def test_the_demo_reaches_its_end(clone: Clone) -> None:
    done = clone.demo()
    assert done.returncode == 0, done.stderr[-3000:]
    assert '"prediction"' in done.stdout
    assert processes_of(str(clone.folder / ".canopy")) == []
    assert list(clone.temporary.rglob("*")) == []


@pytest.mark.parametrize("clone", REFUSED, indirect=True)
def test_the_demo_is_refused_in_one_sentence_before_anything_starts(clone: Clone) -> None:
    started = time.monotonic()
    done = clone.demo()
    assert done.returncode == 2
    assert time.monotonic() - started < 60
    said = " ".join(done.stderr.split())
    assert "Traceback" not in said
    assert "Set CANOPY_HOME" in said, done.stdout
    assert processes_of(str(clone.folder / ".canopy")) == []
    assert not (clone.folder / ".canopy").exists()
    assert list(clone.temporary.rglob("*")) == []
