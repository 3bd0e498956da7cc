"""Whatever a source answers: no process dies of it, nothing accepted changes, the next good batch lands."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from contracts.errors import ResponseTooLarge, StoreUnavailable
from lake.bronze.landings import read_raw
from lake.objects import open_objects
from lake.settings import LakeSettings
from source.collect import collect
from source.incoming import Arrival
from source.outcomes import ContractBroken, GivenUp, Landed
from tests.attacks.state import AT_A_TIME, compared, fingerprint
from tests.lake.asides import aside
from tests.source import test_response
from tests.source.conftest import impatient
from tests.source.test_response import body

ROWS = [list(test_response.ROW), list(test_response.OTHER)] * 20
GOOD = body(ROWS)
# A collector with little memory, which asks as often as it is told and says what each answer came to.
COLLECTOR = """
import logging, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
from source.collect import collect
logging.disable()
for _ in range(int(sys.argv[1])):
    collected = collect()
    print(",".join(type(outcome).__name__ for outcome in collected.outcomes), flush=True)
"""


def answer(content: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer of HTTP."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


@contextmanager
def source_of(replies: Iterator[bytes]) -> Iterator[str]:
    """A source that writes the next bytes of these to whoever connects, and ends the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    connection.recv(65536)
                    connection.sendall(next(replies))
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        is_over.set()
        thread.join()
        listener.close()


@pytest.fixture
def lake(tmp_path: Path) -> LakeSettings:
    return LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path / 'catalog.sqlite'}")


@pytest.fixture(autouse=True)
def own_incoming_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_INCOMING", str(tmp_path / "incoming"))
    return tmp_path / "incoming"


def collected_by_a_process(url: str, lake: LakeSettings, folder: Path, times: int) -> list[str]:
    """What each answer came to in a process with 2 GB of memory. Raises if it died."""
    if not times:
        return []
    environment = os.environ | {
        "SOURCE_URL": url,
        "SOURCE_ATTEMPTS": "1",
        "SOURCE_TIMEOUT_S": "5",
        "SOURCE_REQUESTS_PER_WINDOW": "1",
        "SOURCE_WINDOW_S": "0",
        "SOURCE_PACE_S": "0",
        "SOURCE_RECHECK_S": "0",
        "SOURCE_INCOMING": str(folder / "incoming"),
        "TMPDIR": str(folder / "tmp"),
        "LAKE_URI": lake.uri,
        "LAKE_CATALOG": lake.catalog,
        "OPENBLAS_NUM_THREADS": "1",
    }
    ended = subprocess.run(
        [sys.executable, "-c", COLLECTOR, str(times)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout.splitlines()


def mutated(draw: random.Random) -> bytes:
    """A good answer with something turned, cut, doubled, packed or nested; sometimes in its head."""
    content = bytearray(GOOD)
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(content) or 1)
        changes[draw.choice(list(changes))](content, start, draw)
    packing = draw.choice(["", "", "", "gzip", "deflate", "br", "zstd"])
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}.get(packing, bytes)
    whole = pack(bytes(content))
    if packing and draw.random() < 0.3:
        whole = whole[: draw.randrange(len(whole) + 1)]
    status = draw.choice(["200 OK"] * 8 + ["400 Bad Request", "204 No Content", "301 Moved", "503 x"])
    reply = bytearray(answer(whole, *([f"Content-Encoding: {packing}"] if packing else []), status=status))
    if draw.random() < 0.2:
        reply[draw.randrange(reply.index(b"\r\n\r\n") + 4)] = draw.randrange(256)
    return bytes(reply)


def _turn(content: bytearray, start: int, draw: random.Random) -> None:
    content[start : start + 1] = bytes([draw.randrange(256)])


def _cut(content: bytearray, start: int, draw: random.Random) -> None:
    del content[start : start + draw.randint(0, 60)]


def _double(content: bytearray, start: int, draw: random.Random) -> None:
    content[start:start] = content[start : start + draw.randint(0, 60)] * draw.randint(1, 50)


def _insert(content: bytearray, start: int, draw: random.Random) -> None:
    odd = [b"\x00", b"\x1b[2J", b"\\ud800", b"1e999", b"null", b'"', b"\xff"]
    content[start:start] = draw.choice(odd)


def _nest(content: bytearray, start: int, draw: random.Random) -> None:
    content[start:start] = draw.choice([b"[", b'{"a":']) * draw.randint(1, 30_000)


changes = {"turn": _turn, "cut": _cut, "double": _double, "insert": _insert, "nest": _nest}


def is_landed(name: str) -> bool:
    """Picks what a response leaves for good in the lake of its hundred."""
    return re.fullmatch(r"\d+/lake(/\.writable|/bronze(/.*)?)?", name) is not None


def is_written_by_collecting(name: str) -> bool:
    """Picks what a collector goes on with: its catalog, and the folder of what is under way."""
    return re.fullmatch(r"\d+/(catalog\.sqlite.*|incoming(/.*)?)", name) is not None


@pytest.mark.timeout(7200)  # in its long form; the short one takes seconds
def test_no_answer_ends_a_collector_or_changes_what_was_accepted(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count, draw = request.config.getoption("--mutations") or 60, random.Random(17)
    for begin in range(0, count, AT_A_TIME):
        (tmp_path / str(begin) / "tmp").mkdir(parents=True)
    numbers = range(count)
    for some in compared(tmp_path, numbers, seed=17, but=is_written_by_collecting, new=is_landed):
        folder = tmp_path / str(some[0])
        lake = LakeSettings(uri=str(folder / "lake"), catalog=f"sqlite:{folder / 'catalog.sqlite'}")
        accepted: dict[str, str] = {}
        for half in (some[:50], some[50:]):
            with source_of(mutated(draw) for _ in half) as url:
                assert len(collected_by_a_process(url, lake, folder, len(half))) == len(half)
            now = fingerprint(folder / "lake" / "bronze")
            assert accepted.items() <= now.items()
            accepted = now
        with source_of(iter([answer(GOOD)])) as url:
            assert collected_by_a_process(url, lake, folder, 1) == ["Landed"]
        objects = open_objects(lake)
        for key in objects.keys("bronze/raw"):
            read_raw(objects, key)
        assert not list((folder / "incoming").glob("*"))


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_a_few_bytes_that_unpack_to_many_are_given_up_in_little_memory(
    lake: LakeSettings, tmp_path: Path, packing: str
) -> None:
    packer = zlib.compressobj(9, wbits=31 if packing == "gzip" else 15)
    piece = b"[" + b" " * (2**20 - 1)
    bomb = b"".join(packer.compress(piece) for _ in range(900)) + packer.flush()
    assert len(bomb) < 2_000_000
    replies = iter([answer(bomb, f"Content-Encoding: {packing}"), answer(GOOD)])
    with source_of(replies) as url:
        assert collected_by_a_process(url, lake, tmp_path, 2) == ["GivenUp", "Landed"]
    (one,) = aside(open_objects(lake))
    assert "SOURCE_RESPONSE_BYTES=16777216" in one.reason
    assert len(open_objects(lake).read(one.kept)) == 2**20


def test_the_largest_response_that_is_taken_is_judged_in_little_memory(
    lake: LakeSettings, tmp_path: Path
) -> None:
    most = 16 * 2**20
    lists = b'{"group_number":1,"batch_number":3,"data":[' + b"[]," * ((most - 60) // 3) + b"[]]}"
    replies = iter([answer(lists), answer(b"[" * most), answer(b'"' + b"\\ud800" * (most // 6 - 1) + b'"')])
    with source_of(replies) as url:
        assert collected_by_a_process(url, lake, tmp_path, 3) == ["ContractBroken"] * 3


def test_a_response_that_is_larger_than_is_taken_is_said_and_its_beginning_is_kept(
    lake: LakeSettings,
) -> None:
    replies = iter([answer(GOOD), answer(GOOD)])
    with source_of(replies) as url:
        collected = collect([impatient(url, response_bytes=1000, attempts=1)], lake)
        (outcome,) = collected.outcomes
        assert isinstance(outcome, GivenUp)
        assert open_objects(lake).read(outcome.kept) == GOOD[:1000]
        with pytest.raises(ResponseTooLarge, match="SOURCE_RESPONSE_BYTES"):
            collected.raise_failure()
        assert len(collect([impatient(url, response_bytes=len(GOOD))], lake).landings) == 1


def test_an_answer_without_end_is_given_up_at_the_bound_and_not_at_the_end_of_the_time(
    lake: LakeSettings,
) -> None:
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"[" * 5_000_000
    with source_of(iter([endless])) as url:
        (outcome,) = collect([impatient(url, response_bytes=100_000, attempts=1)], lake).outcomes
    assert isinstance(outcome, GivenUp)


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_what_comes_packed_although_nobody_asked_is_unpacked_and_landed(
    lake: LakeSettings, packing: str
) -> None:
    packed = (
        gzip.compress(GOOD[:700]) + gzip.compress(GOOD[700:]) if packing == "gzip" else zlib.compress(GOOD)
    )
    with source_of(iter([answer(packed, f"Content-Encoding: {packing}")])) as url:
        (outcome,) = collect([impatient(url)], lake).outcomes
    assert isinstance(outcome, Landed)
    assert read_raw(open_objects(lake), outcome.landing.raw_key)[0] == GOOD


def test_what_comes_packed_in_a_way_that_is_not_known_is_kept_byte_for_byte(lake: LakeSettings) -> None:
    with source_of(iter([answer(b"\x28\xb5\x2f\xfd\xff", "Content-Encoding: zstd")])) as url:
        (outcome,) = collect([impatient(url)], lake).outcomes
    assert isinstance(outcome, ContractBroken)
    assert read_raw(open_objects(lake), outcome.raw_key)[0] == b"\x28\xb5\x2f\xfd\xff"


def test_no_redirect_of_the_source_is_followed(lake: LakeSettings) -> None:
    asked: list[bytes] = []

    def other() -> Iterator[bytes]:
        while True:
            asked.append(b"")
            yield answer(GOOD)

    with source_of(other()) as elsewhere:
        moved = answer(b"", f"Location: {elsewhere}/data", status="307 Temporary Redirect")
        with source_of(iter([moved])) as url:
            collected = collect([impatient(url, attempts=1, headers={"X-Key": "secret-key"})], lake)
    assert asked == []
    assert "307" in " ".join(collected.failures)


def test_a_full_disk_is_one_sentence_and_what_came_is_kept(
    lake: LakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, write = 0, Arrival.write

    def full(self: Arrival, piece: bytes) -> None:
        nonlocal written
        if written:
            raise OSError(28, "No space left on device")
        written += 1
        write(self, piece[:500])
        raise OSError(28, "No space left on device")

    with source_of(iter([answer(GOOD), answer(GOOD)])) as url:
        monkeypatch.setattr(Arrival, "write", full)
        collected = collect([impatient(url, attempts=1)], lake)
        monkeypatch.undo()
        assert "No space left on device" in " ".join(collected.failures)
        (raw,) = open_objects(lake).keys("bronze/raw")
        assert read_raw(open_objects(lake), raw)[0] == GOOD[:500]
        assert len(collect([impatient(url)], lake).landings) == 1


def test_nothing_is_asked_where_the_disk_has_no_room_for_the_largest_response(lake: LakeSettings) -> None:
    with source_of(iter([])) as url, pytest.raises(StoreUnavailable, match="bytes are left on its disk"):
        collect([impatient(url, response_bytes=2**60)], lake)


@pytest.mark.parametrize("operation", ["put", "put_new"])
def test_a_full_disk_of_the_lake_is_one_sentence(
    lake: LakeSettings, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lake.objects.os.fsync", full)
    with pytest.raises(StoreUnavailable, match="No space left on device"):
        getattr(open_objects(lake), operation)("bronze/x", b"x")
    monkeypatch.undo()
    assert not list(Path(lake.uri).rglob("*x"))
    assert json.dumps(open_objects(lake).keys("bronze")) == "[]"
