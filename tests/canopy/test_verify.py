"""Bronze, proven and damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from canopy.verify import verify_bronze
from lake.landings import Landing, Provenance, keep_raw, land_rows, refuse
from lake.objects import open_objects
from lake.settings import LakeSettings

ROWS = [[*["2596", "51", "3", "258", "0", "510", "221", "232", "148", "6279"], "Rawah", "C7745", "4"]]


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return LakeSettings(uri=str(tmp_path), catalog=f"sqlite:{tmp_path}/catalog.sqlite", _env_file=None)


def test_a_whole_bronze_has_no_fault(lake: LakeSettings) -> None:
    _land(lake, ROWS)
    objects = open_objects(lake)
    refuse(objects, keep_raw(objects, b"{", _provenance(2)), "not JSON")
    keep_raw(objects, _body(ROWS), _provenance(3))
    verified = verify_bronze(lake)
    assert (verified.landed, verified.refused, verified.unfinished, verified.faults) == (1, 1, 1, ())


def test_a_changed_response_is_a_fault(lake: LakeSettings, tmp_path: Path) -> None:
    landing = _land(lake, ROWS)
    file = tmp_path / landing.raw_key
    file.write_bytes(file.read_bytes()[:-4] + b"oops")
    (fault,) = verify_bronze(lake).faults
    assert landing.raw_key in fault


def test_rows_that_the_response_does_not_hold_are_a_fault(lake: LakeSettings) -> None:
    landing = _land(lake, [[*ROWS[0][:-1], "5"]], body=_body(ROWS))
    assert verify_bronze(lake).faults == (f"{landing.key} does not hold the rows of {landing.raw_key}",)
    assert verify_bronze(lake).landed == 0


def test_rows_without_their_response_are_a_fault(lake: LakeSettings, tmp_path: Path) -> None:
    landing = _land(lake, ROWS)
    (tmp_path / landing.raw_key).unlink()
    assert verify_bronze(lake).faults == (f"{landing.key} has no raw response",)


def _land(lake: LakeSettings, rows: list[list[str]], body: bytes | None = None) -> Landing:
    objects = open_objects(lake)
    return land_rows(objects, keep_raw(objects, body or _body(rows), _provenance(1)), 1, rows)


def _body(rows: list[list[str]]) -> bytes:
    return json.dumps({"group_number": 1, "batch_number": 1, "data": rows}).encode()


def _provenance(second: int) -> Provenance:
    return Provenance(
        "covertype", 1, datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC), "r", "http://127.0.0.1", "1"
    )
