"""One odd thing in a folder that is read at a start costs itself alone: the next good batch lands."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.bronze.events import Event, newest_event, record
from lake.bronze.held import held, holds
from lake.bronze.landings import Landing, Provenance, keep_raw, land_rows, unfinished
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from pipeline.refine import refine
from pipeline.sweep import sweep
from pipeline.verify.lake import verify
from source.collect import collect
from source.incoming import Incoming
from tests.lake.asides import aside
from tests.source import test_response
from tests.source.conftest import BrokenService, Reply, broken_service, impatient
from tests.source.test_response import body

__all__ = ["broken_service"]

Start = Callable[..., BrokenService]
ROWS = [list(test_response.ROW), list(test_response.OTHER)]
GROUP = "covertype/group=01/date=2026-01-01"
DEEP = b"[" * 100_000
GARBAGE = {
    "nothing": b"",
    "zeros": b"\x00" * 4096,
    "no JSON": b"{",
    "other JSON": b"[]",
    "no UTF-8": b"\xff\xfe\x9b{}",
    "nesting": DEEP,
    "a Parquet's ends": b"PAR1" + b"\x00" * 100 + b"PAR1",
}
NAMES = {
    "readable text": "README.txt",
    "a name of no time": "99999999T999999999999Z-" + "a" * 64,
    "ours": "20260101T120000000000Z-" + "a" * 64,
    "an escape": "\x1b[2Jx",
    "no UTF-8": "x\udcff\udcfe",
    "a very long name": "x" * 200,
}
FOLDERS = {
    "raw": f"bronze/raw/{GROUP}/{{name}}.json.zst",
    "rows": f"bronze/rows/{GROUP}/{{name}}.parquet",
    "refused": f"bronze/refused/{GROUP}/{{name}}.json",
    "events": "bronze/events/covertype/group=01/{name}.json",
    "event like ours": "bronze/events/covertype/group=01/20990101T000000000000Z-failure-{name}.json",
    "held": "bronze/held/{name}.json",
    "predictions": "bronze/predictions/date=2026-01-01/{name}.parquet",
    "answered": "bronze/answered/{name}.parquet",
}


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path / 'catalog.sqlite'}")


@pytest.fixture(autouse=True)
def own_incoming_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_INCOMING", str(tmp_path / "incoming"))
    return tmp_path / "incoming"


def landed(objects: Objects, minute: int = 0) -> Landing:
    """Lands a good response."""
    content = body(ROWS)
    at = datetime(2026, 1, 1, 12, minute, tzinfo=UTC)
    raw = keep_raw(objects, content, Provenance("covertype", 1, at, f"r{minute}", "http://x", "1"))
    return land_rows(objects, raw, 3, ROWS)


def put(lake: LakeSettings, key: str, content: bytes) -> Path:
    file = Path(lake.uri) / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def accepted(lake: LakeSettings) -> dict[str, bytes]:
    """Every byte that was accepted before."""
    objects = open_objects(lake)
    return {key: objects.read(key) for key in objects.keys("bronze")}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_garbage_of_each_kind_in_each_folder_keeps_no_good_batch_out(
    broken_service: Start, lake: LakeSettings, own_incoming_folder: Path, name: str
) -> None:
    objects = open_objects(lake)
    landed(objects)
    before = accepted(lake)
    put_there: dict[str, bytes] = {}
    for number, content in enumerate(GARBAGE.values()):
        for pattern in FOLDERS.values():
            key = pattern.format(name=name if number == 0 else f"{name}{number}")
            put(lake, key, content)
            put_there[key] = content
        put(lake, f"../incoming/{number}-{name}.response", content)
    service = broken_service(Reply(body=body(ROWS)))
    for _ in range(2):
        collected = collect([impatient(service.url)], lake)
        assert len(collected.landings) == 1
        sweep(lake)
    after = accepted(lake)
    assert before.items() <= after.items()
    kept = {objects.read(one.kept) for one in aside(objects) if one.kept}
    for key, content in put_there.items():
        # Nothing is deleted: it lies where it lay, or in quarantine.
        assert after.get(key) == content or content in kept
    quarantined = own_incoming_folder / "quarantine"
    assert len([file for file in quarantined.iterdir() if not file.name.endswith(".reason.json")]) == len(
        GARBAGE
    )
    assert not list(own_incoming_folder.glob("*.response"))
    assert not [
        key for key in after if key.startswith(("bronze/events", "bronze/predictions")) and name in key
    ]
    assert len(holds(objects)) >= len(held(objects))


def test_what_was_set_aside_is_told_once_and_with_its_reason(
    broken_service: Start, lake: LakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    put(lake, f"bronze/rows/{GROUP}/README.txt", b"read me")
    service = broken_service(Reply(body=body(ROWS)))
    for _ in range(3):
        collect([impatient(service.url)], lake)
    assert len([record for record in caplog.records if record.message.startswith("set_aside ")]) == 1
    (one,) = aside(open_objects(lake))
    assert "no object of a landing" in one.reason
    assert open_objects(lake).read(one.kept) == b"read me"


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"\x00" * 5000])
def test_a_damaged_row_file_is_made_anew_of_its_response(
    broken_service: Start, lake: LakeSettings, damage: bytes
) -> None:
    objects = open_objects(lake)
    landing = landed(objects)
    whole = objects.read(landing.key)
    put(lake, landing.key, damage)
    service = broken_service(Reply(body=body(ROWS)))
    for _ in range(2):
        assert len(collect([impatient(service.url)], lake).landings) >= 1
    assert objects.read(landing.key) == whole
    assert [one.key for one in aside(objects)] == [landing.key]


def test_a_row_file_with_bytes_turned_in_its_pages_is_set_aside_before_a_build(lake: LakeSettings) -> None:
    objects = open_objects(lake)
    landing, other = landed(objects), landed(objects, minute=1)
    content = bytearray(objects.read(landing.key))
    content[4:200] = bytes(196)
    put(lake, landing.key, bytes(content))
    assert sweep(lake) == [landing.key]
    assert objects.keys("bronze/rows") == [other.key]
    assert unfinished(objects) == [landing.raw_key]


def test_the_newest_event_that_can_be_read_is_the_newest(lake: LakeSettings) -> None:
    objects = open_objects(lake)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record(objects, Event("failure", "covertype", 1, at, "http://x", "down"))
    later = record(objects, Event("restart", "covertype", 1, at + timedelta(hours=1), "http://x", "up"))
    put(lake, later, b"")
    event = newest_event(objects, "covertype", 1)
    assert event is not None
    assert event.detail == "down"
    assert [one.key for one in aside(objects)] == [later]


@pytest.mark.parametrize("source", ["../../../../escaped", "/etc", "a/b", "", "UPPER", 5, None, "a\x00b"])
def test_an_incoming_file_writes_nothing_outside_the_lake(
    lake: LakeSettings, own_incoming_folder: Path, tmp_path: Path, broken_service: Start, source: object
) -> None:
    fields = {"source": source, "group": 1, "fetched_at": "2026-01-01T00:00:00+00:00", "request_id": "r",
              "url": "u", "client_version": "1", "adapter": "none"}  # fmt: skip
    head = json.dumps({"provenance": fields, "promised": None}).encode() + b"\n"
    own_incoming_folder.mkdir()
    (own_incoming_folder / "x.response").write_bytes(head + body(ROWS))
    service = broken_service(Reply(body=body(ROWS)))
    assert len(collect([impatient(service.url)], lake).landings) == 1
    assert {found.name for found in tmp_path.iterdir()} == {"lake", "incoming"}
    assert (own_incoming_folder / "quarantine" / "x.response").read_bytes() == head + body(ROWS)


def test_a_response_that_an_older_collector_left_and_nobody_takes_today_is_set_aside(
    lake: LakeSettings, own_incoming_folder: Path, broken_service: Start
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    provenance = Provenance("covertype", 1, at, "large", "http://x", "1")
    with Incoming(own_incoming_folder).receive(provenance, None) as arrival:
        arrival.write(b"[")
        (file,) = own_incoming_folder.iterdir()
        with file.open("r+b") as sparse:
            sparse.truncate(2**31)  # no block of a disk is taken
    service = broken_service(Reply(body=body(ROWS)))
    assert len(collect([impatient(service.url)], lake).landings) == 1
    assert (own_incoming_folder / "quarantine" / "large.response").stat().st_size == 2**31


def test_a_key_that_leads_out_of_the_store_is_refused_by_every_operation(lake: LakeSettings) -> None:
    from contracts.errors import KeyInvalid

    objects = open_objects(lake)
    for key in ("../x", "a/../../x", "/etc/x", "a\x00b"):
        for operation in (objects.read, objects.exists, objects.remove, lambda key: objects.put(key, b"")):
            with pytest.raises(KeyInvalid):
                operation(key)


@pytest.mark.longest
@pytest.mark.timeout(1200)  # it builds, audits and publishes, several times
def test_what_is_damaged_between_collecting_and_refining_costs_itself_alone_through_the_publication(
    broken_service: Start, lake: LakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_FOLDER", str(tmp_path / "audits"))
    objects = open_objects(lake)
    rows = [[str(int(ROWS[0][0]) + number), *ROWS[0][1:]] for number in range(30)]
    service = broken_service(*(Reply(body=body(rows[at : at + 10])) for at in (0, 10, 20)))
    first, second = (collect([impatient(service.url)], lake).landings[0] for _ in range(2))
    whole = objects.read(first.key)
    put(lake, first.key, whole[:100] + bytes(200) + whole[300:])
    put(lake, f"bronze/rows/{GROUP}/README.parquet", b"")
    put(lake, "bronze/predictions/date=2026-01-01/20260101T000000000000Z-abcd.parquet", b"PAR1")
    put(lake, f"bronze/answered/{second.landing_id}.parquet", b"")
    put(lake, "bronze/held/README.txt", b"")
    published = refine(lake, state=tmp_path / "dbt").publication
    assert (published.landings, published.observations) == (1, 10)
    assert len(collect([impatient(service.url)], lake).landings) == 2
    assert objects.read(first.key) == whole
    published = refine(lake, state=tmp_path / "dbt").publication
    assert (published.landings, published.observations) == (3, 30)
    assert verify(lake).faults == ()
