"""Every reply is kept: in the lake, while the lake is away, after a kill, and with a shadow beside it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from lake.bronze.predictions import SCHEMA
from lake.settings import LakeSettings
from serving.log.spool import SEGMENT_BYTES, Spool, read_segment
from serving.settings import ServingSettings
from tests.serving.conftest import OpenService
from tests.serving.onnx_models import answers, random_rows
from tests.serving.registry import TestRegistry, wait_until
from tests.serving.services import bearer, running
from tests.serving.test_batch import PATH, as_file

ROWS = random_rows(30, seed=31)
PARQUET = "application/vnd.apache.parquet"
LIMIT_BYTES = 2**30


@pytest.fixture
def settings(settings: ServingSettings) -> ServingSettings:
    """A service that writes and ships often."""
    return settings.model_copy(update={"log_write_s": 0.05, "log_ship_s": 0.1})


def kept(lake: LakeSettings) -> pa.Table:
    """All predictions in the lake."""
    files = sorted(Path(lake.uri).glob("bronze/predictions/date=*/*.parquet"))
    tables = [pq.read_table(file, partitioning=None) for file in files]
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def test_what_was_asked_and_answered_is_in_the_lake(
    service: TestClient, lake: LakeSettings, models: dict[str, Path], settings: ServingSettings
) -> None:
    headers = {"X-Request-ID": "survey-1"}
    reply = service.post("/v1/predictions", json={"rows": ROWS[:20]}, headers=headers).json()
    service.post("/v1/predictions", json={"rows": [{**ROWS[0], "slope_deg": 110}]})  # nothing was predicted
    wait_until(lambda: kept(lake).num_rows == 20)
    rows = kept(lake).sort_by("position").to_pylist()
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == ROWS[:20]
    assert [row["predicted"] for row in rows] == answers(str(models["plain"]), ROWS[:20])
    assert {row["request_id"] for row in rows} == {"survey-1"}
    assert {(row["model_name"], row["model_version"]) for row in rows} == {(settings.model_name, 1)}
    assert {row["model_snapshot_id"] for row in rows} == {7}
    for row, prediction in zip(rows, reply["predictions"], strict=True):
        assert row["probabilities"] == pytest.approx(list(prediction["probabilities"].values()), abs=1e-6)
    assert all(0 < row["latency_ms"] < 60_000 and row["key_id"] for row in rows)


def test_a_file_is_kept_too(service: TestClient, lake: LakeSettings) -> None:
    service.post(PATH, content=as_file(ROWS, PARQUET), headers={"Content-Type": PARQUET})
    wait_until(lambda: kept(lake).num_rows == len(ROWS))
    assert sorted(kept(lake)["position"].to_pylist()) == list(range(len(ROWS)))


def test_while_the_lake_is_away_nothing_is_lost(
    service: TestClient, lake: LakeSettings, settings: ServingSettings
) -> None:
    folder = Path(lake.uri)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the lake was")
    for row in ROWS[:5]:
        assert service.post("/v1/predictions", json=row).status_code == 200
    wait_until(lambda: service.get("/ready").json()["log_problem"] is not None)
    assert str(settings.spool) in service.get("/ready").json()["log_problem"]
    assert service.post("/v1/predictions", json=ROWS[5]).status_code == 200
    folder.unlink()
    wait_until(lambda: kept(lake).num_rows == 6)
    wait_until(lambda: service.get("/ready").json()["log_problem"] is None)


def test_a_torn_end_costs_that_batch_only(service: TestClient, lake: LakeSettings, tmp_path: Path) -> None:
    service.post("/v1/predictions", json={"rows": ROWS})
    wait_until(lambda: kept(lake).num_rows == len(ROWS))
    logged = kept(lake).drop_columns(["segment", "sequence"]).combine_chunks()
    spool = Spool(tmp_path / "other", LIMIT_BYTES)
    for start in (0, 10):
        spool.append(logged.slice(start, 10).to_batches()[0])
    spool.close()
    (path,) = spool.segments()
    whole = path.read_bytes()
    counts = []
    for length in range(len(whole), 0, -37):
        path.write_bytes(whole[:length])
        counts.append(read_segment(path)[1].num_rows)
    # Cut further and further: all, then the first batch, then nothing, and never an error.
    assert counts == sorted(counts, reverse=True)
    assert set(counts) == {20, 10, 0}


def test_a_segment_grows_no_further_than_what_is_read_at_once(
    service: TestClient, lake: LakeSettings, tmp_path: Path
) -> None:
    service.post("/v1/predictions", json={"rows": ROWS})
    wait_until(lambda: kept(lake).num_rows == len(ROWS))
    logged = kept(lake).drop_columns(["segment", "sequence"])
    many = logged.take(pa.array([row % len(ROWS) for row in range(16_384)])).combine_chunks()
    (batch,) = many.to_batches()
    spool, rounds = Spool(tmp_path / "other", LIMIT_BYTES), 3 * SEGMENT_BYTES // batch.nbytes
    for _ in range(rounds):
        spool.append(batch)
    spool.close()
    assert max(path.stat().st_size for path in spool.segments()) < SEGMENT_BYTES + 2 * batch.nbytes
    assert sum(read_segment(path)[1].num_rows for path in spool.segments()) == rounds * batch.num_rows
    assert len(spool.segments()) in (3, 4)


def test_the_shadow_is_asked_and_never_answers(
    open_service: OpenService,
    registry: TestRegistry,
    settings: ServingSettings,
    lake: LakeSettings,
    models: dict[str, Path],
) -> None:
    name = settings.model_name
    registry.promote(name, registry.register(name, models["plain"]))
    challenger = registry.register(name, models["shifted"])
    registry.promote(name, challenger, alias="challenger")
    client = open_service(settings.model_copy(update={"shadow_alias": "challenger"}))
    wait_until(lambda: client.get("/ready").json()["shadow"] is not None)
    reply = client.post("/v1/predictions", json={"rows": ROWS}).json()
    plain = answers(str(models["plain"]), ROWS)
    assert [one["cover_type"] for one in reply["predictions"]] == plain
    assert reply["model"]["version"] == "1"
    wait_until(lambda: kept(lake).num_rows == len(ROWS))
    rows = kept(lake).sort_by("position").to_pylist()
    assert {row["shadow_version"] for row in rows} == {int(challenger)}
    assert [row["shadow_predicted"] for row in rows] == answers(str(models["shifted"]), ROWS)
    assert [row["predicted"] for row in rows] == plain


@pytest.mark.long
def test_a_kill_loses_at_most_the_last_second(
    registry: TestRegistry,
    settings: ServingSettings,
    lake: LakeSettings,
    models: dict[str, Path],
    tmp_path: Path,
) -> None:
    name = settings.model_name
    registry.promote(name, registry.register(name, models["plain"]))
    answered: dict[str, float] = {}
    never = {"SERVING_LOG_SHIP_S": "3600"}
    with running(tmp_path, registry.url, name, **never) as (url, process):
        with httpx.Client(base_url=url, headers=bearer(tmp_path / "predict.key")) as client:
            until = time.monotonic() + 4
            while time.monotonic() < until:
                reply = client.post("/v1/predictions", json=ROWS[len(answered) % len(ROWS)])
                answered[reply.json()["request_id"]] = time.monotonic()
        process.kill()
        process.wait()
        killed_at = time.monotonic()
    assert kept(lake).num_rows == 0
    # The next start ships what was left.
    with running(tmp_path, registry.url, name, SERVING_LOG_SHIP_S="0.2"):
        wait_until(lambda: kept(lake).num_rows > 0)
    found = set(kept(lake)["request_id"].to_pylist())
    missing = [moment for request, moment in answered.items() if request not in found]
    assert found <= set(answered)
    assert len(answered) > 100
    assert all(killed_at - moment <= 1.0 for moment in missing)
