"""Bronze keeps what the source said, and notices if it no longer is that."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.covertype import covertype
from contracts.errors import LandingConflict, ObjectMissing, RawDamaged
from lake.bronze.landings import Provenance, keep_raw, land_rows, read_raw, refuse, unfinished
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings

ROW = ["2596", "51", "3", "258", "-6", "510", "221", "232", "148", "6279", "Rawah", "C7745", "4"]
MOMENT = datetime(2026, 11, 22, 23, 59, 59, 123456, tzinfo=UTC)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return open_objects(LakeSettings(uri=str(tmp_path)))


def provenance(fetched_at: datetime = MOMENT, url: str = "http://source/data") -> Provenance:
    return Provenance("simulator", 3, fetched_at, "request-1", url, "canopy 0.1.0")


@settings(max_examples=40)
@given(body=st.binary(max_size=2000), url=st.text(max_size=50), group=st.integers(0, 99))
def test_any_response_comes_back_byte_for_byte_with_its_provenance(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, url: str, group: int
) -> None:
    objects = open_objects(LakeSettings(uri=str(tmp_path_factory.mktemp("raw"))))
    given_provenance = Provenance("simulator", group, MOMENT, "request", url, "1")
    raw = keep_raw(objects, body, given_provenance)
    read, again = read_raw(objects, raw.key)
    assert read == body
    assert again == raw
    assert again.provenance == given_provenance


def test_any_zstd_reader_gives_the_response_and_nothing_else(objects: Objects) -> None:
    raw = keep_raw(objects, b'{"data": []}', provenance())
    stored = objects.read(raw.key)
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(stored), read_across_frames=True) as reader:
        assert reader.read() == b'{"data": []}'


def test_a_key_names_group_day_in_utc_time_and_hash(objects: Objects) -> None:
    in_bogota = MOMENT.astimezone(timezone(timedelta(hours=-5)))
    raw = keep_raw(objects, b"body", provenance(in_bogota))
    assert raw.key == (
        "bronze/raw/simulator/group=03/date=2026-11-22/20261122T235959123456Z-"
        "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5.json.zst"
    )


def test_keeping_the_same_response_twice_is_one_object(objects: Objects) -> None:
    keep_raw(objects, b"body", provenance())
    keep_raw(objects, b"body", provenance())
    assert len(objects.keys("bronze/raw")) == 1


def test_a_damaged_response_is_noticed(objects: Objects) -> None:
    raw = keep_raw(objects, b"the response" * 50, provenance())
    stored = bytearray(objects.read(raw.key))
    other = keep_raw(objects, b"another", provenance())
    damages = {
        "cut short": bytes(stored[:-3]),
        "one bit": bytes([*stored[:-1], stored[-1] ^ 1]),
        "without provenance": bytes(stored[8:]),
        "empty": b"",
        "another response": objects.read(other.key),
    }
    for name, damaged in damages.items():
        objects.put(raw.key, damaged)
        with pytest.raises(RawDamaged, match="bronze/raw"):
            pytest.fail(f"{name}: {read_raw(objects, raw.key)}")


def test_a_response_that_is_gone_is_named(objects: Objects) -> None:
    with pytest.raises(ObjectMissing, match="nothing"):
        read_raw(objects, "bronze/raw/nothing.json.zst")


def test_rows_are_landed_as_the_source_wrote_them_with_their_provenance(objects: Objects) -> None:
    raw = keep_raw(objects, b"body", provenance())
    landing = land_rows(objects, raw, 7, [ROW, ROW])
    table = pq.read_table(io.BytesIO(objects.read(landing.key)))
    names = [column.source_name for column in covertype().columns]
    assert [table.column(name).to_pylist() for name in names] == [[value, value] for value in ROW]
    assert table.column("position").to_pylist() == [0, 1]
    assert table.select(["landing_id", "group_number", "batch_number", "fetched_at", "raw_key"]).slice(
        0, 1
    ).to_pylist() == [
        {
            "landing_id": raw.landing_id,
            "group_number": 3,
            "batch_number": 7,
            "fetched_at": MOMENT,
            "raw_key": raw.key,
        }
    ]


def test_landing_the_same_rows_again_changes_nothing_and_other_rows_are_refused(objects: Objects) -> None:
    raw = keep_raw(objects, b"body", provenance())
    assert land_rows(objects, raw, 1, [ROW]) == land_rows(objects, raw, 1, [ROW])
    with pytest.raises(LandingConflict):
        land_rows(objects, raw, 1, [ROW, ROW])


def test_rows_written_by_another_version_of_the_writer_are_the_same_landing(objects: Objects) -> None:
    raw = keep_raw(objects, b"body", provenance())
    landing = land_rows(objects, raw, 1, [ROW])
    other = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(objects.read(landing.key))), other, compression="none")
    objects.put(landing.key, other.getvalue())
    assert land_rows(objects, raw, 1, [ROW]) == landing


def test_rows_say_with_which_adapter_they_were_read(objects: Objects) -> None:
    asked = keep_raw(objects, b"1", replace(provenance(), adapter="objects"))
    replayed = keep_raw(objects, b"2", provenance())
    landings = [
        land_rows(objects, asked, 1, [ROW]),
        land_rows(objects, replayed, 1, [ROW], adapter="one_hot"),
        land_rows(objects, keep_raw(objects, b"3", provenance()), 1, [ROW]),
    ]
    tables = [pq.read_table(io.BytesIO(objects.read(landing.key))) for landing in landings]
    assert [table.column_names[-1] for table in tables] == ["adapter"] * 3
    assert [table["adapter"].to_pylist() for table in tables] == [["objects"], ["one_hot"], ["none"]]
    assert read_raw(objects, asked.key)[1].provenance.adapter == "objects"


def test_equal_rows_that_were_read_with_another_adapter_are_another_landing(objects: Objects) -> None:
    raw = keep_raw(objects, b"body", provenance())
    land_rows(objects, raw, 1, [ROW])
    with pytest.raises(LandingConflict):
        land_rows(objects, raw, 1, [ROW], adapter="labels_from_one")


def test_what_was_kept_and_landed_before_there_were_adapters_is_read_as_such(objects: Objects) -> None:
    raw = keep_raw(objects, b"body", provenance())
    fields = {**vars(raw.provenance), "fetched_at": MOMENT.isoformat()}
    del fields["adapter"]
    frame = json.dumps(fields, sort_keys=True).encode()
    former = (
        struct.pack("<II", 0x184D2A50, len(frame))
        + frame
        + zstandard.ZstdCompressor(level=3).compress(b"body")
    )
    objects.put(raw.key, former)
    assert read_raw(objects, raw.key) == (b"body", raw)
    assert keep_raw(objects, b"body", provenance()) == raw
    landing = land_rows(objects, raw, 1, [ROW])
    table = pq.read_table(io.BytesIO(objects.read(landing.key)))
    without = io.BytesIO()
    pq.write_table(table.drop_columns(["adapter"]), without)
    objects.put(landing.key, without.getvalue())
    assert land_rows(objects, raw, 1, [ROW]) == landing


def test_another_response_under_the_same_key_is_a_conflict(objects: Objects) -> None:
    keep_raw(objects, b"body", provenance())
    with pytest.raises(LandingConflict):
        keep_raw(objects, b"body", provenance(url="http://elsewhere/data"))


def test_a_row_file_has_plain_columns_of_the_promised_types(objects: Objects) -> None:
    landing = land_rows(objects, keep_raw(objects, b"body", provenance()), 1, [ROW, ROW])
    schema = pq.read_table(io.BytesIO(objects.read(landing.key))).schema
    types = {name: str(schema.field(name).type) for name in schema.names}
    integers = dict.fromkeys(["group_number", "batch_number", "position"], "int32")
    others = integers | {"fetched_at": "timestamp[us, tz=UTC]"}
    assert types == {name: others.get(name, "string") for name in schema.names}


def test_a_refusal_keeps_its_first_reason(objects: Objects) -> None:
    raw = keep_raw(objects, b"body", provenance())
    refuse(objects, raw, "55 columns")
    refuse(objects, raw, "in other words")
    (key,) = objects.keys("bronze/refused")
    assert json.loads(objects.read(key))["difference"] == "55 columns"


def test_a_crash_between_the_response_and_its_rows_is_found(objects: Objects) -> None:
    landed, refused, left = (keep_raw(objects, body, provenance()) for body in (b"1", b"2", b"3"))
    land_rows(objects, landed, 1, [])
    refuse(objects, refused, "55 columns")
    assert unfinished(objects) == [left.key]
    land_rows(objects, left, 1, [ROW])
    assert unfinished(objects) == []


def test_provenance_with_a_flipped_bit_is_damage_whatever_it_spells(objects: Objects) -> None:
    raw = keep_raw(objects, b"whole", provenance())
    objects.put(raw.key, objects.read(raw.key).replace(b'"group"', b'"grous"'))
    with pytest.raises(RawDamaged, match="grous"):
        read_raw(objects, raw.key)
