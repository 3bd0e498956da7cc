"""Two transforms and five analysts at once on the PostgreSQL catalog."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deploy.stack.holdings import check_identities, landings
from tests.deploy.stack.running import Running, last_line

pytestmark = pytest.mark.long

READS = 20
READ = """
import json, time
from lake.publish.pointer import latest
from lake.catalog.connection import connect
from lake.settings import LakeSettings
lake, seen = LakeSettings(), []
for _ in range({reads}):
    published = latest(lake)
    with connect(lake, snapshot_id=published.snapshot_id) as connection:
        counted = connection.execute("select count(*), count(distinct row_id) from gold.training_set")
        rows, distinct = counted.fetchone()
    assert rows == distinct
    seen.append([published.publication_id, published.observations, rows])
print(json.dumps(seen))
"""
REFINE = """
from pipeline.refine import refine
from contracts.errors import CanopyError
try:
    refine()
    print("published")
except CanopyError as error:
    print(type(error).__name__, error)
"""


def refine(running: Running) -> str:
    """What a refine by hand says in the end: published, or why not."""
    return running.run_in("airflow-scheduler", "python", "-c", REFINE).strip().splitlines()[-1]


def test_two_transforms_and_five_analysts_lose_nothing_and_meet_no_error(running: Running) -> None:
    running.wait_for("a model", running.ready, 600)
    running.feed()
    known = landings(running)
    with ThreadPoolExecutor(7) as pool:
        analysts = [pool.submit(running.as_analyst, READ.format(reads=READS)) for _ in range(5)]
        transforms = [pool.submit(refine, running) for _ in range(2)]
        seen = [last_line(analyst.result()) for analyst in analysts]
        said = [transform.result() for transform in transforms]
    assert "published" in said, said
    for reads in seen:
        assert len(reads) == READS
        assert [publication for publication, _, _ in reads] == sorted(
            publication for publication, _, _ in reads
        )
        assert all(observations == rows for _, observations, rows in reads)
    running.wait_for("a refine that ends well", lambda: "published" in refine(running), 300)
    check_identities(running, known)
