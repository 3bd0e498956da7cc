"""A request found in the log of predictions at the published pointer."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.covertype import covertype
from lake.catalog.connection import connect, current_snapshot
from lake.publish.pointer import publish
from tests.ui.small_lake import make_lake
from ui.reading.cells import example_cell
from ui.reading.pointer import publication
from ui.reading.predictions import logged, newest_requests

FEATURES = example_cell().features


@pytest.mark.long
def test_a_request_is_found_with_its_cells_and_without_a_log_there_is_none(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    assert logged(lake, publication(lake), "one") == []
    columns = ", ".join(
        f"? as {column.name}" if column.kind == "string" else f"?::integer as {column.name}"
        for column in covertype().features
    )
    with connect(lake, write=True) as connection:
        connection.execute(
            "create table gold.predictions as select 'one' as request_id, range::integer as position, "
            f"now() - interval 3 day as predicted_at, 7 as model_version, {columns}, 4 as predicted, "
            "0.8::float as probability from range(2)",
            list(FEATURES.values()),
        )
        snapshot_id = current_snapshot(connection)
    publish(lake, snapshot_id, "held")
    rows = logged(lake, publication(lake), "one")
    assert [(row.model_version, row.predicted, row.features) for row in rows] == [(7, 4, dict(FEATURES))] * 2
    assert logged(lake, publication(lake), "another") == []
    (asked,) = newest_requests(lake, publication(lake))
    assert (asked.request_id, asked.rows, asked.version) == ("one", 2, 7)
