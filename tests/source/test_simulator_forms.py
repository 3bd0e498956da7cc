"""Each form that the simulator answers in is read by the collector with the adapter of that name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.covertype import covertype
from lake.objects import open_objects
from lake.settings import LakeSettings
from source.collect import collect
from source.outcomes import ContractBroken, EndOfData, Landed, Refused
from source.simulator.server import serving
from source.simulator.settings import SimulatorSettings
from tests.source.conftest import impatient

NAMES = [column.source_name for column in covertype().columns]
WEDNESDAY = {"day": "Wednesday"}
# What a source of this form is collected with.
SOURCES: dict[str, dict[str, Any]] = {
    "coded": {},
    "one_hot": {"adapter": "one_hot"},
    "labels_from_one": {"adapter": "labels_from_one"},
    "objects": {"adapter": "objects", "parameters": WEDNESDAY},
    "bare_objects": {"adapter": "objects", "parameters": WEDNESDAY},
}
WITH_A_DAY = ("objects", "bare_objects")


@pytest.mark.parametrize("form", SOURCES)
def test_rows_of_every_form_land_as_the_same_rows(
    form: str, tmp_path: Path, rows: pa.Table, lake: LakeSettings
) -> None:
    with serving(_settings(tmp_path, form=form), rows) as url:
        settings = impatient(url, **SOURCES[form])
        collected = [collect([settings], lake) for _ in range(11)]
    assert [type(poll.outcomes[0]) for poll in collected] == [Landed] * 10 + [EndOfData]
    landings = [landing for poll in collected for landing in poll.landings]
    assert [landing.rows for landing in landings] == [40] * 10
    assert [landing.batch for landing in landings] == (
        [0] * 10 if form == "bare_objects" else [*range(1, 11)]
    )
    served = {tuple(row.values()) for row in rows.slice(400, 400).to_pylist()}
    objects = open_objects(lake)
    for landing in landings:
        landed = pq.read_table(io.BytesIO(objects.read(landing.key)))
        assert set(landed["adapter"].to_pylist()) == {SOURCES[form].get("adapter", "none")}
        assert {tuple(row.values()) for row in landed.select(NAMES).to_pylist()} <= served


@pytest.mark.parametrize("form", ["one_hot", "labels_from_one", "objects"])
def test_a_form_that_nobody_declared_is_refused_with_the_setting_that_reads_it(
    form: str, tmp_path: Path, survey: Path, lake: LakeSettings
) -> None:
    with serving(_settings(tmp_path, form=form, rows=survey, drift="none"), None) as url:
        collected = collect([impatient(url, parameters=SOURCES[form].get("parameters", {}))], lake)
    (outcome,) = collected.outcomes
    assert isinstance(outcome, ContractBroken)
    assert f"SOURCE_ADAPTER={form}" in outcome.difference


def test_one_hot_rows_have_uci_s_columns(tmp_path: Path, rows: pa.Table) -> None:
    with serving(_settings(tmp_path, form="one_hot"), rows) as url:
        data = _get(url).json()["data"]
    assert {len(row) for row in data} == {55}
    assert {(row[10:14].count("1"), row[14:54].count("1")) for row in data} == {(1, 1)}
    assert {value for row in data for value in row[10:54]} == {"0", "1"}
    assert {row[54] for row in data} <= set("1234567")


def test_a_soil_without_a_column_leaves_a_one_hot_row_without_a_soil(tmp_path: Path, rows: pa.Table) -> None:
    unseen = pa.array(["C9999"] * rows.num_rows)
    rows = rows.set_column(NAMES.index("Soil_Type"), "Soil_Type", unseen)
    with serving(_settings(tmp_path, form="one_hot"), rows) as url:
        assert {row[14:54].count("1") for row in _get(url).json()["data"]} == {0}


def test_labels_from_one_are_one_more_and_what_is_no_label_stays(tmp_path: Path, rows: pa.Table) -> None:
    seed = {"seed": 5}
    with serving(_settings(tmp_path / "a", **seed), rows) as url:
        from_zero = _get(url).json()["data"]
    with serving(_settings(tmp_path / "b", form="labels_from_one", **seed), rows) as url:
        from_one = _get(url).json()["data"]
    assert [[*row[:-1], str(int(row[-1]) + 1)] for row in from_zero] == from_one
    odd = rows.set_column(12, "Cover_Type", pa.array(["?"] * rows.num_rows))
    with serving(_settings(tmp_path / "c", form="labels_from_one"), odd) as url:
        assert {row[-1] for row in _get(url).json()["data"]} == {"?"}


def test_rows_as_objects_are_keyed_by_the_source_s_names(tmp_path: Path, rows: pa.Table) -> None:
    with serving(_settings(tmp_path / "a", form="objects", seed=5), rows) as url:
        answer = _get(url, **WEDNESDAY).json()
    assert list(answer) == ["group_number", "day", "batch_number", "data"]
    assert (answer["group_number"], answer["day"], answer["batch_number"]) == (1, "Wednesday", 1)
    assert {tuple(row) for row in answer["data"]} == {tuple(NAMES)}
    with serving(_settings(tmp_path / "b", form="bare_objects", seed=5), rows) as url:
        assert _get(url, **WEDNESDAY).json() == answer["data"]


@pytest.mark.parametrize("form", WITH_A_DAY)
@pytest.mark.parametrize("path", ["/data", "/restart_data_generation"])
def test_the_second_service_asks_for_a_day_of_the_week(
    form: str, path: str, tmp_path: Path, rows: pa.Table
) -> None:
    with serving(_settings(tmp_path, form=form), rows) as url:
        asked = {
            day: _get(url, path, **day_of(day)) for day in (None, "", "wednesday", "Miércoles", "Sunday")
        }
    assert [answer.status_code for answer in asked.values()] == [422, 422, 422, 422, 200]
    assert asked[None].json()["detail"][0]["loc"] == ["query", "day"]


def test_a_group_has_one_counter_whatever_the_day(tmp_path: Path, rows: pa.Table) -> None:
    with serving(_settings(tmp_path, form="objects"), rows) as url:
        days = ("Monday", "Tuesday", "Monday")
        assert [_get(url, day=day).json()["batch_number"] for day in days] == [1, 2, 3]


def test_the_first_service_takes_no_notice_of_a_day(tmp_path: Path, rows: pa.Table) -> None:
    with serving(_settings(tmp_path), rows) as url:
        assert _get(url, day="Never").status_code == 200


def test_a_collector_that_asks_without_a_day_is_told_what_is_missing(
    tmp_path: Path, rows: pa.Table, lake: LakeSettings
) -> None:
    with serving(_settings(tmp_path, form="objects"), rows) as url:
        (outcome,) = collect([impatient(url, adapter="objects")], lake).outcomes
    assert isinstance(outcome, Refused)
    assert "day" in outcome.detail


def day_of(day: str | None) -> dict[str, str]:
    return {} if day is None else {"day": day}


def _settings(home: Path, **changes: Any) -> SimulatorSettings:
    return SimulatorSettings(window_s=0.0, state=home / "state.json", **changes)


def _get(url: str, path: str = "/data", **parameters: str) -> httpx.Response:
    return httpx.get(f"{url}{path}", params={"group_number": "1", **parameters}, trust_env=False)
