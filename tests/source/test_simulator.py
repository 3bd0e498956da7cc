"""The simulator behaves as SOURCE_API.md says, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from contracts.errors import RowsUnreadable, SettingsInvalid
from source.simulator.app import create_app
from source.simulator.settings import SimulatorSettings

Start = Callable[..., "Service"]


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Service:
    """A simulator with a clock in the test's hand."""

    def __init__(self, settings: SimulatorSettings, rows: pa.Table | None) -> None:
        self.clock = Clock()
        self.http = TestClient(
            create_app(settings, rows, self.clock), "http://127.0.0.1", raise_server_exceptions=False
        )

    def data(self, group: object = 1) -> Any:
        return self.http.get("/data", params={"group_number": group})

    def batch(self, group: int = 1) -> int:
        return int(self.data(group).json()["batch_number"])

    def next_batch(self, group: int = 1) -> Any:
        self.clock.now += 301
        return self.data(group)


@pytest.fixture
def start(tmp_path: Path, rows: pa.Table) -> Start:
    def started(**settings: Any) -> Service:
        state = settings.pop("state", tmp_path / "timestamps.json")
        return Service(SimulatorSettings(state=state, **settings), rows)

    return started


def test_root_answers_with_the_services_own_words(start: Start) -> None:
    assert start().http.get("/").json() == {"Proyecto 2": "Extracción de datos, entrenamiento de modelos."}


@pytest.mark.parametrize("page", ["/docs", "/openapi.json"])
def test_it_has_the_usual_pages(start: Start, page: str) -> None:
    assert start().http.get(page).status_code == 200


def test_a_response_has_thirteen_strings_a_row_and_no_header(start: Start) -> None:
    body = start().data().json()
    assert list(body) == ["group_number", "batch_number", "data"]
    assert {len(row) for row in body["data"]} == {13}
    assert {type(value) for row in body["data"] for value in row} == {str}
    assert "Elevation" not in body["data"][0]


@pytest.mark.parametrize("faults", [{}, {"latency_s": 0.01, "wrong_type_share": 1.0}])
def test_a_body_has_the_bytes_that_fastapi_makes_of_it(start: Start, faults: dict[str, Any]) -> None:
    answer = start(**faults).data()
    plain = FastAPI()

    @plain.get("/")
    async def same() -> dict[str, Any]:
        return dict(answer.json())

    assert TestClient(plain, "http://127.0.0.1").get("/").content == answer.content


def test_a_response_has_a_hundredth_of_the_rows(start: Start, rows: pa.Table) -> None:
    assert len(start().data().json()["data"]) == rows.num_rows // 10 // 10


def test_a_response_repeats_no_row(start: Start, rows: pa.Table) -> None:
    drawn = [tuple(row) for row in start().data().json()["data"]]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("group", [1, 4, 9])
def test_a_group_gets_its_own_slice_whatever_the_batch(start: Start, rows: pa.Table, group: int) -> None:
    service, size = start(), rows.num_rows // 10
    allowed = _rows(rows.slice(group * size, size))
    for _ in range(3):
        assert _drawn(service.next_batch(group)) <= allowed


def test_two_responses_of_one_group_share_about_a_tenth(start: Start) -> None:
    service = start(seed=5)
    seen = [_drawn(service.data()) for _ in range(40)]
    shared = [len(seen[i] & seen[i + 1]) / len(seen[i]) for i in range(39)]
    assert 0.07 < sum(shared) / len(shared) < 0.13


def test_a_deployment_that_slices_by_batch_serves_every_row_of_the_file(start: Start, rows: pa.Table) -> None:
    service, size = start(slicing="batch"), rows.num_rows // 10
    for batch in range(1, 11):
        response = service.next_batch(5)
        assert response.json()["batch_number"] == batch
        assert _drawn(response) <= _rows(rows.slice((batch - 1) * size, size))


def test_the_2026_version_sliced_by_batch_has_no_rows_for_its_last_batch(start: Start) -> None:
    service = start(version="2026", slicing="batch")
    assert [service.next_batch().status_code for _ in range(12)] == [200] * 10 + [500, 400]


def test_the_first_request_makes_the_counter_one(start: Start) -> None:
    assert start().batch() == 1


def test_the_clock_advances_only_strictly_after_the_window(start: Start) -> None:
    service = start()
    assert service.batch() == 1
    service.clock.now += 300
    assert service.batch() == 1
    service.clock.now += 0.001
    assert service.batch() == 2


def test_waiting_long_skips_no_batch(start: Start) -> None:
    service = start()
    service.batch()
    service.clock.now += 30_000
    assert service.batch() == 2


def test_the_window_is_a_setting(start: Start) -> None:
    service = start(window_s=0.5)
    assert service.batch() == 1
    service.clock.now += 0.6
    assert service.batch() == 2


def test_a_window_without_an_end_begins_with_batch_one_all_the_same(start: Start) -> None:
    service = start(window_s=86_400.0, seed=1)
    assert [service.next_batch().json()["batch_number"] for _ in range(3)] == [1] * 3


def test_groups_have_clocks_of_their_own(start: Start) -> None:
    service = start()
    service.batch(1)
    service.clock.now += 301
    assert (service.batch(1), service.batch(2)) == (2, 1)


@pytest.mark.parametrize(("version", "last"), [("2024", 10), ("2025", 10), ("2026", 11)])
def test_the_last_batch_is_served_to_exactly_one_request(start: Start, version: str, last: int) -> None:
    service = start(version=version)
    assert [service.next_batch().json()["batch_number"] for _ in range(last)] == list(range(1, last + 1))
    assert service.data().status_code == 400


def test_an_earlier_batch_can_be_sampled_again_and_again(start: Start) -> None:
    service = start(seed=1)
    assert [service.batch() for _ in range(5)] == [1] * 5


@pytest.mark.parametrize(("version", "word"), [("2024", "minima"), ("2025", "mínima"), ("2026", "minima")])
def test_the_end_of_data_is_spelled_as_the_version_spells_it(start: Start, version: str, word: str) -> None:
    service = start(version=version)
    answers = [service.next_batch() for _ in range(12)]
    assert answers[-1].status_code == 400
    assert answers[-1].json() == {"detail": f"Ya se recolectó toda la información {word} necesaria"}


def test_group_ten_has_too_few_rows_left_and_its_counter_advances_all_the_same(
    tmp_path: Path, rows: pa.Table
) -> None:
    two_left = pa.concat_tables([rows, rows.slice(0, 2)])
    service = Service(SimulatorSettings(state=tmp_path / "timestamps.json"), two_left)
    answer = service.data(10)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    for _ in range(9):
        assert service.next_batch(10).status_code == 500
    assert service.next_batch(10).status_code == 400


@pytest.mark.parametrize("path", ["/data", "/restart_data_generation"])
def test_group_eleven_passes_validation_in_2026_and_then_fails(start: Start, path: str) -> None:
    assert start(version="2026").http.get(path, params={"group_number": 11}).status_code == 500
    assert start(version="2025").http.get(path, params={"group_number": 11}).status_code == 422


@pytest.mark.parametrize("path", ["/data", "/restart_data_generation"])
@pytest.mark.parametrize("group", [0, -3, 12])
def test_a_bad_group_gets_400_in_2024_and_422_later(start: Start, path: str, group: int) -> None:
    old = start(version="2024").http.get(path, params={"group_number": group})
    assert (old.status_code, old.json()) == (400, {"detail": "Número de grupo inválido"})
    later = start(version="2025").http.get(path, params={"group_number": group})
    assert later.status_code == 422
    assert later.json()["detail"][0]["loc"] == ["query", "group_number"]


@pytest.mark.parametrize("version", ["2024", "2025", "2026"])
@pytest.mark.parametrize("query", ["", "?group_number=", "?group_number=uno", "?group_number=1.5"])
def test_a_missing_or_odd_group_gets_422_in_every_version(start: Start, version: str, query: str) -> None:
    answer = start(version=version).http.get(f"/data{query}")
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)


def test_a_restart_resets_counter_and_clock_of_that_group_only(start: Start) -> None:
    service = start()
    for group in (1, 2):
        service.batch(group)
        service.next_batch(group)
    assert service.http.get("/restart_data_generation?group_number=1").json() == ["ok"]
    assert (service.batch(1), service.batch(2)) == (1, 2)


def test_the_state_survives_a_restart_of_the_service(start: Start) -> None:
    first = start()
    first.batch()
    first.next_batch()
    second = start()
    second.clock.now = first.clock.now
    assert second.batch() == 2


def test_the_state_is_written_on_success_only(start: Start, tmp_path: Path) -> None:
    service = start()
    service.data(10)
    assert not (tmp_path / "timestamps.json").exists()
    service.data(1)
    assert json.loads((tmp_path / "timestamps.json").read_text())["1"] == [service.clock.now, 1]


def test_a_damaged_state_is_named_with_its_remedy(start: Start, tmp_path: Path) -> None:
    (tmp_path / "timestamps.json").write_text('{"1": [0')
    with pytest.raises(SettingsInvalid, match="move the file away"):
        start()


def test_a_state_that_cannot_be_one_is_named_at_the_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for state in (tmp_path, tmp_path / "file" / "state.json"):
        with pytest.raises(SettingsInvalid, match=r"SIMULATOR_STATE='.*cannot be used.*name another file"):
            start(state=state)


def test_the_same_seed_samples_the_same_rows(start: Start, tmp_path: Path) -> None:
    one, other = start(seed=7, state=tmp_path / "a"), start(seed=7, state=tmp_path / "b")
    assert one.data().json() == other.data().json()


def test_drawn_rows_are_marked_and_rows_of_a_file_are_not(tmp_path: Path, survey: Path) -> None:
    drawn = Service(SimulatorSettings(synthetic_rows=500, state=tmp_path / "a"), None)
    filed = Service(SimulatorSettings(rows=survey, state=tmp_path / "b"), None)
    assert drawn.data().headers["X-Canopy-Rows"] == "synthetic"
    assert "X-Canopy-Rows" not in filed.data().headers


def test_a_missing_file_of_rows_is_named(tmp_path: Path) -> None:
    with pytest.raises(RowsUnreadable, match="no such file"):
        create_app(SimulatorSettings(rows=tmp_path / "none.csv", state=tmp_path / "a"))


def _rows(table: pa.Table) -> set[tuple[str, ...]]:
    return {tuple(row.values()) for row in table.to_pylist()}


def _drawn(response: Any) -> set[tuple[str, ...]]:
    return {tuple(row) for row in response.json()["data"]}
