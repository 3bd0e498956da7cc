"""Each fault of the simulator is what a plain client sees; none is there unless a setting says so."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from contracts.covertype import covertype
from contracts.errors import SettingsInvalid
from lake.objects import open_objects
from lake.settings import LakeSettings
from source.collect import collect
from source.outcomes import ContractBroken, Landed, Unavailable
from source.simulator.app import create_app
from source.simulator.dirt import IMPOSSIBLE_SLOPE, UNSEEN_SOILS, Dirt
from source.simulator.drift import ordered
from source.simulator.server import serving
from source.simulator.settings import SimulatorSettings
from tests.source.conftest import impatient

Row = tuple[str, ...]
NAMES = [column.source_name for column in covertype().columns]
SLOPE, DISTANCE, SOIL = NAMES.index("Slope"), NAMES.index("Horizontal_Distance_To_Hydrology"), 11


class Client:
    """A plain client of a simulator, with a connection of its own for each request."""

    def __init__(self, url: str, journal: Path) -> None:
        self.url = url
        self._journal = journal

    def get(self, path: str = "/data", timeout_s: float = 10.0, group: int = 1) -> httpx.Response:
        parameters = {"group_number": group}
        return httpx.get(f"{self.url}{path}", params=parameters, timeout=timeout_s, trust_env=False)

    def begin(self) -> tuple[httpx.Response, bytes]:
        """An answer as far as it comes."""
        received = b""
        asked = httpx.stream("GET", f"{self.url}/data?group_number=1", trust_env=False, timeout=10)
        with asked as response, suppress(httpx.RemoteProtocolError):
            for piece in response.iter_raw():
                received += piece
        return response, received

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._journal.read_text().splitlines()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_without_a_setting_there_is_no_fault(home: Path, rows: pa.Table) -> None:
    with _simulator(home, rows) as client:
        answers = [client.get() for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 10
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}
    assert {tuple(row) for answer in answers for row in answer.json()["data"]} <= _rows(rows)


def test_latency_makes_every_answer_of_data_late_and_no_other(home: Path, rows: pa.Table) -> None:
    with _simulator(home, rows, latency_s=0.7) as client:
        assert _seconds(client.get) >= 0.7
        assert _seconds(lambda: client.get("/")) < 0.7


def test_a_late_answer_holds_up_no_other(home: Path, rows: pa.Table) -> None:
    with _simulator(home, rows, latency_s=0.5) as client:
        threads = [threading.Thread(target=client.get) for _ in range(6)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert time.monotonic() - began < 2


def test_an_answer_that_times_out_has_advanced_the_counter_and_is_not_in_the_journal(
    home: Path, rows: pa.Table
) -> None:
    with _simulator(home, rows, timeout_share=1.0, timeout_s=1.0) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get(timeout_s=0.2)
        assert client.get(timeout_s=5.0).json()["batch_number"] == 2
        assert [line["batch"] for line in client.journal()] == [2]


def test_a_share_of_the_requests_gets_500_and_advances_nothing(home: Path, rows: pa.Table) -> None:
    with _simulator(home, rows, error_share=0.5, seed=3) as client:
        answers = [client.get() for _ in range(12)]
    statuses = Counter(answer.status_code for answer in answers)
    assert min(statuses[200], statuses[500]) >= 2
    assert {answer.text for answer in answers if answer.is_server_error} == {"Internal Server Error"}
    batches = [answer.json()["batch_number"] for answer in answers if answer.is_success]
    assert batches == list(range(1, len(batches) + 1))


def test_a_cut_body_is_shorter_than_its_content_length_and_the_connection_is_closed(
    home: Path, rows: pa.Table
) -> None:
    with _simulator(home, rows, cut_share=1.0) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get()
        response, received = client.begin()
        assert int(response.headers["Content-Length"]) > len(received)
        assert [(line["batch"], line["is_cut"]) for line in client.journal()] == [(1, True), (2, True)]
        assert [line["bytes"] for line in client.journal()][1] == int(response.headers["Content-Length"])


def test_a_slow_body_comes_at_its_pace_and_whole(home: Path, rows: pa.Table) -> None:
    with _simulator(home, rows, slow_bytes_per_s=4000) as client:
        began = time.monotonic()
        body = client.get().content
        assert time.monotonic() - began == pytest.approx(len(body) / 4000, rel=0.5)
        assert json.loads(body)["batch_number"] == 1
        assert [line["sha256"] for line in client.journal()] == [sha256(body).hexdigest()]


def test_a_slow_body_may_be_cut_as_well(home: Path, rows: pa.Table) -> None:
    with _simulator(home, rows, slow_bytes_per_s=20_000, cut_share=1.0) as client:
        response, received = client.begin()
    assert int(response.headers["Content-Length"]) > len(received)


def test_a_wrong_content_type_leaves_the_body_alone(home: Path, rows: pa.Table, lake: LakeSettings) -> None:
    with _simulator(home, rows, wrong_type_share=1.0) as client:
        answer = client.get()
        collected = collect([impatient(client.url)], lake)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.json()["batch_number"] == 1
    assert [type(outcome) for outcome in collected.outcomes] == [Landed]


def test_faults_meet_data_only(home: Path, rows: pa.Table) -> None:
    every = {"error_share": 1.0, "cut_share": 1.0, "wrong_type_share": 1.0, "timeout_share": 1.0}
    with _simulator(home, rows, **every) as client:
        for path in ("/", "/openapi.json", "/restart_data_generation"):
            answer = client.get(path, timeout_s=3)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")


def test_the_same_seed_meets_the_same_requests(home: Path, rows: pa.Table) -> None:
    seen = []
    for run in ("a", "b"):
        with _simulator(home / run, rows, seed=9, error_share=0.3, cut_share=0.3) as client:
            seen.append([_fate(client) for _ in range(10)])
    assert seen[0] == seen[1]
    assert len({status for status, _ in seen[0]}) == 2
    assert len({is_cut for _, is_cut in seen[0]}) == 2


def test_one_more_fault_moves_no_other(home: Path, rows: pa.Table) -> None:
    with _simulator(home / "a", rows, seed=9, error_share=0.4) as client:
        alone = [client.get().status_code for _ in range(10)]
    with _simulator(home / "b", rows, seed=9, error_share=0.4, wrong_type_share=0.5) as client:
        assert [client.get().status_code for _ in range(10)] == alone


def test_a_journal_has_the_hash_of_each_batch_that_was_sent(home: Path, rows: pa.Table) -> None:
    with _simulator(home, rows) as client:
        answers = [client.get(group=group) for group in (1, 2, 2)]
        assert client.get("/").status_code == client.get("/restart_data_generation").status_code == 200
        assert client.get(group=12).status_code == 422
        lines = client.journal()
    assert [line["sha256"] for line in lines] == [sha256(answer.content).hexdigest() for answer in answers]
    assert lines[0] == {
        "group": 1, "batch": 1, "rows": 40, "bytes": len(answers[0].content),
        "sha256": lines[0]["sha256"], "is_cut": False, "process": os.getpid(),
    }  # fmt: skip
    assert [(line["group"], line["batch"]) for line in lines] == [(1, 1), (2, 1), (2, 2)]


def test_a_journal_is_written_on_and_never_over(home: Path, rows: pa.Table) -> None:
    for _ in range(2):
        with _simulator(home, rows) as client:
            client.get()
    assert [line["batch"] for line in client.journal()] == [1, 2]


def test_a_line_is_in_the_journal_before_the_body_is_sent(home: Path, rows: pa.Table) -> None:
    with (
        _simulator(home, rows, slow_bytes_per_s=1000) as client,
        httpx.stream("GET", f"{client.url}/data?group_number=1", trust_env=False) as response,
    ):
        assert response.num_bytes_downloaded < client.journal()[0]["bytes"]


def test_a_journal_that_cannot_be_written_is_named(home: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"SIMULATOR_JOURNAL='.*Is a directory.*name another file"):
        create_app(SimulatorSettings(journal=home, synthetic_rows=100, state=home / "state.json"))


def test_a_share_of_the_rows_is_dirty_in_the_known_ways(rows: pa.Table) -> None:
    clean = sorted(_rows(rows))
    kinds = Counter(_dirt(before, after) for before, after in zip(clean, _spoiled(clean, 0.2), strict=True))
    assert kinds[None] / len(clean) == pytest.approx(0.8, abs=0.03)
    assert min(kinds[kind] for kind in ("distance", "slope", *UNSEEN_SOILS)) >= 20
    assert sum(kinds.values()) == len(clean)
    assert not set(UNSEEN_SOILS) & set(covertype().column("soil_type").values)


def test_whoever_asks_again_gets_the_same_dirty_row(home: Path, rows: pa.Table) -> None:
    clean = sorted(_rows(rows))
    known = dict(zip(clean, _spoiled(clean, 0.3), strict=True))
    with _simulator(home, rows, dirt_share=0.3) as client:
        served = {tuple(row) for _ in range(10) for row in client.get().json()["data"]}
    assert served <= set(known.values())
    assert len(served - set(clean)) / len(served) == pytest.approx(0.3, abs=0.1)


def test_dirty_rows_land_in_every_form(home: Path, rows: pa.Table, tmp_path: Path) -> None:
    for form, adapter in {"coded": "none", "one_hot": "one_hot", "objects": "objects"}.items():
        lake = LakeSettings(uri=str(tmp_path / form / "lake"))
        with _simulator(home / form, rows, form=form, dirt_share=1.0) as client:
            settings = impatient(client.url, adapter=adapter, parameters={"day": "Friday"})
            (landing,) = collect([settings], lake).landings
        assert landing.rows == 40


def test_rows_drift_by_area_or_by_elevation(home: Path, rows: pa.Table) -> None:
    areas = list(covertype().column("wilderness_area").values)
    with _simulator(home / "a", rows, drift="area", slicing="batch") as client:
        seen = [{areas.index(row[10]) for row in client.get().json()["data"]} for _ in range(10)]
    assert all(max(before) <= min(after) for before, after in pairwise(seen))
    assert [min(seen[0]), max(seen[-1])] == [0, 3]
    with _simulator(home / "e", rows, drift="elevation", slicing="batch") as client:
        heights = [[int(row[0]) for row in client.get().json()["data"]] for _ in range(10)]
    assert all(max(before) <= min(after) for before, after in pairwise(heights))


def test_drift_keeps_equal_rows_in_their_order_and_puts_what_is_no_value_last(rows: pa.Table) -> None:
    head = rows.slice(0, 4)
    odd = head.set_column(0, NAMES[0], pa.array(["3000", "", "-5", "3000"]))
    assert ordered(odd, "elevation").to_pylist() == odd.take([2, 0, 3, 1]).to_pylist()
    odd = head.set_column(10, NAMES[10], pa.array(["Cache", "?", "Rawah", "Cache"]))
    assert ordered(odd, "area").to_pylist() == odd.take([2, 0, 3, 1]).to_pylist()
    assert ordered(odd, "none") is odd


def test_a_collector_gets_through_all_faults_at_once(home: Path, rows: pa.Table, lake: LakeSettings) -> None:
    faults = {"error_share": 0.2, "cut_share": 0.2, "timeout_share": 0.1, "timeout_s": 5, "dirt_share": 0.1}
    with _simulator(
        home, rows, seed=4, latency_s=0.01, wrong_type_share=0.2, window_s=3600, **faults
    ) as client:
        patient = impatient(client.url, requests_per_window=12, window_s=3600, attempts=12, timeout_s=1.0)
        collected = collect([patient], lake)
        sent = {line["sha256"] for line in client.journal() if not line["is_cut"]}
    assert {type(outcome) for outcome in collected.outcomes} <= {Landed, Unavailable, ContractBroken}
    landed = {
        key.rpartition("-")[2].removesuffix(".parquet") for key in open_objects(lake).keys("bronze/rows")
    }
    assert landed == sent
    assert len(landed) >= 8


@contextmanager
def _simulator(home: Path, rows: pa.Table, **changes: Any) -> Iterator[Client]:
    journal = home / "journal.jsonl"
    settings = {"window_s": 0.0, "state": home / "state.json", "journal": journal, **changes}
    with serving(SimulatorSettings(**settings), rows) as url:
        yield Client(url, journal)


def _fate(client: Client) -> tuple[int, bool]:
    response, received = client.begin()
    return response.status_code, len(received) < int(response.headers["Content-Length"])


def _seconds(act: Any) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _rows(table: pa.Table) -> set[Row]:
    return {tuple(row.values()) for row in table.to_pylist()}


def _spoiled(rows: list[Row], share: float) -> list[Row]:
    return Dirt(share, has_codes=True).spoiled(rows)


def _dirt(before: Row, after: Row) -> str | None:
    """What was done to a row; anything but the known kinds stays unnamed and breaks the sum."""
    changed = [place for place in range(len(before)) if before[place] != after[place]]
    kinds = {(DISTANCE, ""): "distance", (SLOPE, IMPOSSIBLE_SLOPE): "slope"}
    kinds |= {(SOIL, soil): soil for soil in UNSEEN_SOILS}
    assert len(changed) <= 1
    return kinds[changed[0], after[changed[0]]] if changed else None
