"""Each recipe for analysts is run as it is printed, on a small lake that was really built and published."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from lake.catalog.extensions import connection_config
from lake.publish.pointer import Publication
from tests.docs.pages import ROOT, blocks
from tests.lake.published import fill_with_numbers
from tests.lake.stores import lake_in_s3, s3_service

# botocore and its event loop leave these to the garbage collector.
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]

PAGE = ROOT / "docs" / "analysts.md"
BLOCKS = [(block.language, block.body) for block in blocks(PAGE)]
LOCAL = [block for block in BLOCKS if "s3://" not in block[1]]
IN_S3 = [body for _, body in BLOCKS if "s3://" in body]
FILE = ".canopy/lake/published/gold.duckdb"


@pytest.mark.parametrize("block", LOCAL, ids=[f"{language}-{n}" for n, (language, _) in enumerate(LOCAL)])
def test_a_recipe_runs_and_answers(
    folder: Path, first: Publication, environment: dict[str, str], block: tuple[str, str]
) -> None:
    language, body = block
    body = body.replace("42", str(first.snapshot_id))
    body = body.replace("2026-11-23T14:30", first.published_at.isoformat())
    ended = subprocess.run(
        {
            "sh": ["bash", "-eu", "-c", body],
            "python": [sys.executable, "-W", "ignore", "-c", body],  # Altair uses what pandas will drop
            "sql": ["duckdb", "-bail", "-readonly", FILE, body],
        }[language],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout or "cover.html" in body


def test_the_recipe_for_s3_reads_the_file_there(tmp_path: Path) -> None:
    (recipe,) = IN_S3
    with s3_service() as url:
        lake = fill_with_numbers(lake_in_s3(url, tmp_path))
        for printed, here in (
            ("s3.example.org'", f"{url.removeprefix('http://')}', use_ssl false"),
            ("s3://bucket/prefix", lake.uri),
            ("training_set", "numbers"),
        ):
            assert printed in recipe
            recipe = recipe.replace(printed, here)
        with duckdb.connect(config=connection_config()) as analyst:
            assert analyst.execute(recipe).fetchall() == [(5,)]


def test_every_table_of_gold_has_a_section(folder: Path, first: Publication) -> None:
    with duckdb.connect(folder / FILE, read_only=True) as gold:
        tables = [name for (name,) in gold.execute("select table_name from duckdb_tables()").fetchall()]
    headings = [line for line in PAGE.read_text().splitlines() if line.startswith("### gold.")]
    named = {name.removeprefix("gold.") for line in headings for name in line[4:].split(", ")}
    assert set(tables) - {"as_of"} == named
