"""What the model has hardly seen is flagged, alike for one row and for a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
from starlette.testclient import TestClient

from contracts.covertype import covertype
from contracts.model_artefact import Metadata
from serving.model.out_of_distribution import OutOfDistribution
from serving.settings import ServingSettings
from tests.serving.conftest import OpenService
from tests.serving.onnx_models import random_rows
from tests.serving.registry import TestRegistry
from tests.serving.test_batch import as_file, as_table, ask
from training.fit.challenger import training_profile
from training.fit.rows import as_rows

CONTRACT = covertype()
ROWS = random_rows(200, seed=41)
JSON_LINES = "application/x-ndjson"
SOILS = CONTRACT.column("soil_type").values
TOLD = {
    "rows": 1_000,
    "ranges": {"elevation_m": [2_000, 3_000], "slope_deg": [0, 40]},
    "counts": {"soil_type": dict.fromkeys(SOILS, 500) | {"C2702": 0, "C2703": 3}},
}


def test_one_row_and_a_file_are_flagged_alike(
    open_service: OpenService,
    registry: TestRegistry,
    settings: ServingSettings,
    models: dict[str, Path],
    tmp_path: Path,
) -> None:
    model = onnx.load(str(models["plain"]))
    onnx.helper.set_model_props(
        model,
        {item.key: item.value for item in model.metadata_props}
        | {Metadata.TRAINING_PROFILE: json.dumps(TOLD)},
    )
    onnx.save_model(model, str(tmp_path / "model.onnx"))
    name = settings.model_name
    registry.promote(name, registry.register(name, tmp_path / "model.onnx"))
    client: TestClient = open_service(settings)
    row = {**ROWS[0], "elevation_m": 2_500, "slope_deg": 20, "soil_type": "C7745"}
    steep = {**row, "soil_type": "C2703", "slope_deg": 41}
    asked = [row, {**row, "elevation_m": 1_999}, {**row, "soil_type": "C2702"}, steep]
    flags = [
        one["flags"] for one in client.post("/v1/predictions", json={"rows": asked}).json()["predictions"]
    ]
    assert flags[0] == []
    assert flags[1] == [
        {
            "field": "elevation_m",
            "code": "outside_training_range",
            "detail": "The model learned from values of 2000 to 3000.",
        }
    ]
    assert [(flag["field"], flag["code"]) for flag in flags[2]] == [("soil_type", "unseen")]
    assert [(flag["field"], flag["code"]) for flag in flags[3]] == [
        ("slope_deg", "outside_training_range"),
        ("soil_type", "rare"),
    ]
    assert "3 such rows" in flags[3][1]["detail"]
    rows = [*asked, *ROWS]
    single = client.post("/v1/predictions", json={"rows": rows}).json()["predictions"]
    many = as_table(ask(client, as_file(rows, JSON_LINES), JSON_LINES).content, JSON_LINES)
    told = [[f"{flag['field']}:{flag['code']}" for flag in one["flags"]] for one in single]
    assert [sorted(codes) for codes in many["flags"].to_pylist()] == [sorted(codes) for codes in told]
    assert sum(map(len, told)) > 50


def test_a_model_that_tells_nothing_flags_nothing() -> None:
    familiarity = OutOfDistribution.of({}, CONTRACT)
    batch = pa.RecordBatch.from_pylist(ROWS)
    assert familiarity.codes(batch, 20).to_pylist() == [[] for _ in ROWS]
    assert familiarity.flags(tuple(ROWS[0].values()), 20) == []


def test_what_training_writes_is_what_serving_reads() -> None:
    columns = {name: np.array([row[name] for row in ROWS]) for name in ROWS[0]}
    rows = as_rows({**columns, CONTRACT.label.name: np.zeros(len(ROWS))})
    familiarity = OutOfDistribution.of(
        {Metadata.TRAINING_PROFILE: json.dumps(training_profile(rows, CONTRACT))}, CONTRACT
    )
    # Every value that was learned from lies inside, and one beyond the highest does not.
    assert not any(familiarity.flags(tuple(row.values()), 1) for row in ROWS)
    beyond = {**ROWS[0], "elevation_m": int(columns["elevation_m"].max()) + 1}
    assert [flag.field for flag in familiarity.flags(tuple(beyond.values()), 1)] == ["elevation_m"]
    listed = {name: counts for _, name, counts in familiarity.counts}
    assert set(listed["soil_type"]) == set(CONTRACT.column("soil_type").values)
    assert sum(listed["soil_type"].values()) == len(ROWS)
