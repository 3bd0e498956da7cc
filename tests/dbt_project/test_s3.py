"""The same builds where the lake lives in an S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.dbt import build
from lake.catalog.connection import connect, current_snapshot
from lake.objects import open_objects
from lake.bronze.predictions import put
from lake.publish.pointer import publish
from tests.lake.landed import NOON, Row, land
from tests.lake.predicted import predictions
from tests.lake.stores import lake_in_s3, s3_service

# botocore and its event loop leave these to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]
SEGMENT = "20261122T120000000000Z-0a"


@pytest.mark.long
def test_a_lake_in_s3_is_built_and_published(tmp_path: Path, slice_of_survey: list[Row]) -> None:
    with s3_service() as url:
        lake = lake_in_s3(url, tmp_path)
        land(lake, slice_of_survey[:200], minute=5)
        put(open_objects(lake), SEGMENT, predictions(SEGMENT, slice_of_survey[:3], NOON))
        build(lake, state=tmp_path / "dbt")
        with connect(lake) as connection:
            assert connection.execute("select count(*) from gold.training_set").fetchone() == (200,)
            assert connection.execute("select count(*) from gold.predictions").fetchone() == (3,)
            snapshot_id = current_snapshot(connection)
        assert publish(lake, snapshot_id, "").observations == 200
        assert open_objects(lake).exists("published/gold.duckdb")
