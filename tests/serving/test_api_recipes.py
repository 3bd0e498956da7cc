"""Each recipe of docs/api.md is run as it is printed, against a service of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tests.docs.pages import ROOT, Block, blocks
from tests.serving.onnx_models import random_rows
from tests.serving.registry import TestRegistry
from tests.serving.services import running

RECIPES = [block for block in blocks(ROOT / "docs" / "api.md") if block.language in ("sh", "python")]
URL, REVOKED = "http://127.0.0.1:8000", "1f3a9c04"


@pytest.fixture(scope="module")
def folder(
    registry: TestRegistry, models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A working folder with keys and files of rows, beside a service that runs; and its address."""
    home, name = tmp_path_factory.mktemp("caller"), "recipes"
    registry.promote(name, registry.register(name, models["plain"]))
    rows = pa.Table.from_pylist(random_rows(20, seed=3))
    pq.write_table(rows, home / "cells.parquet")
    pyarrow.csv.write_csv(rows, home / "cells.csv")
    (home / ".canopy").mkdir()
    with running(home / ".canopy", registry.url, name) as (url, _):
        yield home, url


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_runs_and_is_answered(folder: tuple[Path, str], recipe: Block) -> None:
    home, url = folder
    body = recipe.body.replace(URL, url).replace("curl ", "curl --silent --show-error --fail-with-body ")
    body = body.replace(REVOKED, _last_key(home))
    program = {"sh": ["bash", "-euo", "pipefail", "-c", body], "python": [sys.executable, "-c", body]}
    ended = subprocess.run(
        program[recipe.language],
        cwd=home,
        env=_environment(url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert ended.stdout


def _last_key(home: Path) -> str:
    """The key that stands for the one that is revoked in the text: the newest."""
    known = (home / ".canopy" / "keys.json").read_text()
    return str(json.loads(known)[-1]["key_id"])


def _environment(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CANOPY_", "SERVING_"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CANOPY_SERVING_PORT": str(httpx.URL(url).port),
        "SERVING_KEYS": ".canopy/keys.json",
    }
