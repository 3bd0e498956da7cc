"""What Canopy is made of comes by hash, and not in a version with an advisory that somebody has read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.stack_settings import PROJECT

LOCKS = sorted((PROJECT / "requirements").glob("*.txt"))
DIGEST = "sha256:" + "ab" * 32
# What stands for the engine: it knows every image, or none.
ENGINE = {
    "knows": f"""#!/bin/sh\necho '{{"mediaType": "index", "digest": "{DIGEST}"}}'\n""",
    "reaches nothing": "#!/bin/sh\necho 'failed to do request: no such host' >&2\nexit 1\n",
    "lies": """#!/bin/sh\necho '{"digest": "sha256:short"}'\n""",
    "says nothing": "#!/bin/sh\n",
}


def advisories(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "ci" / "advisories.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def digests(target: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "ci" / "digests.py"), str(target)]
    environment = os.environ | {"PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_the_locks_have_no_version_with_a_known_advisory_and_a_hash_for_each() -> None:
    done = advisories()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("Starlette==1.0.0 \\\n    --hash=sha256:aa\n", "CVE-2026-48710"),
        ("starlette[full]==1.0.0 ; python_version < '3.13' \\\n    --hash=sha256:aa\n", "1.0.1 or newer"),
        ("apache_airflow==3.2.9 \\\n    --hash=sha256:aa\n", "CVE-2026-49296"),
        ("pyarrow==23.0.1rc1 \\\n    --hash=sha256:aa\n", "CVE-2026-25087"),
        ("httpx==0.28.1\n", "no hash for httpx==0.28.1"),
        ("httpx @ https://example.org/httpx.whl\n", "no hash for httpx"),
        ("# nothing\n", "names nothing"),
    ],
)
def test_a_lock_with_an_advisory_or_without_a_hash_is_named(lock: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "runtime.txt").write_text(lock)
    done = advisories(PROJECT / "ci" / "advisories.toml", tmp_path)
    assert done.returncode == 1
    assert said in done.stderr


def test_each_advisory_says_where_it_was_read() -> None:
    entries = tomllib.loads((PROJECT / "ci" / "advisories.toml").read_text())["advisory"]
    assert len({entry["id"] for entry in entries}) == len(entries) > 0
    for entry in entries:
        assert entry.keys() == {"id", "package", "fixed", "what", "read"}
        assert re.match(r"20\d\d-\d\d-\d\d, ", entry["read"])


def test_whatever_installs_asks_for_hashes() -> None:
    for name in ("Makefile", "Dockerfile", "docker/environment"):
        text = (PROJECT / name).read_text().replace("\\\n", " ")
        installs = [line for line in text.splitlines() for _ in re.findall(r"pip install", line)]
        assert installs
        for command in re.split(r"&&|\n", "\n".join(installs)):
            if "pip install" in command:
                assert "--require-hashes" in command or "--offline" in command, command


def test_no_lock_names_an_index() -> None:
    assert [lock.name for lock in LOCKS if "://" in lock.read_text() or "--index" in lock.read_text()] == []


def test_each_lock_is_made_by_make_lock() -> None:
    text = (PROJECT / "Makefile").read_text()
    made = set(re.findall(r"-o requirements/(\w+\.txt)", text))
    for names in re.findall(r"^PARTS := (.+)$|for group in ([a-z ]+);", text, re.M):
        made |= {f"{name}.txt" for name in " ".join(names).split()}
    assert made == {lock.name for lock in LOCKS}


@pytest.fixture
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with a command `docker` that answers in one way."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(ENGINE[request.param])
    program.chmod(0o755)
    return program.parent


@pytest.mark.parametrize("engine", ["knows"], indirect=True)
def test_images_of_others_and_what_ours_are_built_on_are_pinned(engine: Path, tmp_path: Path) -> None:
    target = tmp_path / "compose.digests.yaml"
    done = digests(target, engine)
    assert done.returncode == 0, done.stderr
    written: dict[str, Any] = yaml.safe_load(target.read_text())["services"]
    services: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        if "build" in service:
            assert written[name] == {"build": {"args": {"BASE": f"python:3.11-slim-bookworm@{DIGEST}"}}}
        elif not service["image"].startswith("canopy-"):
            tag = service["image"].removesuffix("}")
            assert written[name]["image"].removesuffix("}") == f"{tag}@{DIGEST}"
            assert written[name]["image"].endswith("}") is service["image"].endswith("}")
    assert {"mysql", "postgres", "minio", "redis", "proxy", "grafana"} <= written.keys()


@pytest.mark.parametrize("engine", ["reaches nothing", "lies", "says nothing"], indirect=True)
def test_a_digest_that_is_not_known_is_not_made_up(engine: Path, tmp_path: Path) -> None:
    done = digests(tmp_path / "compose.digests.yaml", engine)
    assert done.returncode == 1
    assert done.stderr.startswith("The digest of python:3.11-slim-bookworm is not known: ")
    assert not (tmp_path / "compose.digests.yaml").exists()
