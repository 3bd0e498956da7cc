"""Bodies of every form, changed at random and made to harm: at worst the process that reads them dies."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tabular.formats import ARROW, CSV, JSON_LINES, PARQUET
from tests.attacks.mutations import mutations
from tests.attacks.served import BODY, JSON, ROW, Service, put_model, served
from tests.attacks.state import comes_in, compared, unchanged
from tests.serving.onnx_models import random_rows
from tests.tabular import people

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:::{name}") for name in ("skl2onnx", "onnx", "google", "pydantic")
]
LOG = logging.getLogger(__name__)
ONE, FILE = "/v1/predictions", "/v1/predictions:batch"
ROWS = random_rows(40, seed=5)
TABLE = pa.Table.from_pylist(ROWS)
AT_ONCE = 4
# What may be answered to a body that was changed: rows, a reason, or that too many come at once.
EXPECTED = frozenset({200, 400, 413, 422, 503})
MOST_BUSY = 0.05


def as_arrow(table: pa.Table, *, is_file: bool = False, compression: str | None = None) -> bytes:
    """A table as an Arrow stream or file."""
    sink, options = io.BytesIO(), pa.ipc.IpcWriteOptions(compression=compression)
    opened = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with opened(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=15)
    return sink.getvalue()


def as_parquet(table: pa.Table, **options: Any) -> bytes:
    """A table as Parquet."""
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=15, **options)
    return sink.getvalue()


def as_csv(table: pa.Table) -> bytes:
    """A table as CSV."""
    sink = io.BytesIO()
    pa_csv.write_csv(table, sink)
    return sink.getvalue()


def in_words(table: pa.Table) -> pa.Table:
    """The same with its words in dictionaries."""
    words = pa.dictionary(pa.int8(), pa.string())
    kinds = [words if pa.types.is_string(item.type) else item.type for item in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def packed(content: bytes) -> bytes:
    """The same by gzip."""
    return gzip.compress(content)


def second_look() -> bytes:
    """CSV that the fast look does not take: semicolons, decimal commas, another column."""
    return people.as_csv(
        people.with_column(ROWS, "Id", str),
        ";",
        text=lambda value: f"{value},0" if isinstance(value, int) else value,
    ).encode()


FLOATS = "".join(json.dumps({**row, "slope_deg": float(row["slope_deg"])}) + "\n" for row in ROWS).encode()
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
# What is changed, by path and content type.
SEEDS: dict[str, tuple[str, str, list[bytes]]] = {
    "one row": (ONE, JSON, [BODY]),
    "many rows": (ONE, JSON, [json.dumps({"rows": ROWS[:5]}).encode()]),
    "CSV": (FILE, CSV, [as_csv(TABLE)]),
    "CSV by the second look": (
        FILE,
        CSV,
        [second_look(), second_look().decode().encode("utf-16"), packed(second_look())],
    ),
    "JSON Lines": (FILE, JSON_LINES, [LINES]),
    "JSON by the second look": (FILE, JSON_LINES, [b"[" + LINES.strip().replace(b"\n", b",") + b"]", FLOATS]),
    "Parquet": (FILE, PARQUET, [as_parquet(TABLE), as_parquet(TABLE, use_dictionary=False)]),
    "Arrow stream": (
        FILE,
        ARROW,
        [as_arrow(TABLE), as_arrow(in_words(TABLE)), as_arrow(TABLE, compression="zstd")],
    ),
    "Arrow file": (FILE, ARROW, [as_arrow(TABLE, is_file=True), as_arrow(in_words(TABLE), is_file=True)]),
}


HELD = frozenset({400, 422})


def zeros(count: int, byte: bytes = b"0") -> bytes:
    """So many equal bytes, packed."""
    packer, block = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16), byte * 2**20
    return b"".join([*(packer.compress(block) for _ in range(count // 2**20)), packer.flush()])


def one_number(text: str) -> bytes:
    """CSV with a text in place of a number."""
    number = f"{ROWS[3]['elevation_m']},".encode()
    return as_csv(TABLE).replace(b"\n" + number, b"\n" + text.encode() + b",", 1)


def no_numbers() -> bytes:
    """CSV of 30,000 rows whose first values are all different and no numbers."""
    names, row = as_csv(TABLE).split(b"\n")[:2]
    rest = row.partition(b",")[2]
    return b"\n".join([names, *(b"x%d,%b" % (number, rest) for number in range(30_000))])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that keeps what it predicts on its own disk."""
    folder = tmp_path_factory.mktemp("service")
    put_model(folder)
    settings = {"SERVING_LOG_SHIP_S": "3600", "SERVING_BATCHES_AT_ONCE": "2"}
    with served(folder, **settings) as running:
        assert running.ask(as_csv(TABLE), CSV, FILE).status_code == 200
        yield running


async def answers(service: Service, path: str, kind: str, bodies: Iterator[bytes]) -> Counter[int]:
    """Sends all bodies, a few at a time, and counts what they are answered with."""
    found: Counter[int] = Counter()
    headers = {**service.key, "Content-Type": kind}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=120) as client:

        async def send_on() -> None:
            for body in bodies:
                reply = await client.post(path, content=body)
                found[reply.status_code] += 1
                assert reply.status_code in EXPECTED, (reply.status_code, reply.text[:300], body[:3_000])

        await asyncio.gather(*(send_on() for _ in range(AT_ONCE)))
    return found


@pytest.fixture(autouse=True)
def _home_is_kept(service: Service) -> Iterator[None]:
    """Compares the home before and after each body that has a name, and each run of changed ones."""
    with unchanged(service.folder, but=comes_in):
        yield


@pytest.mark.long
@pytest.mark.parametrize("form", SEEDS)
def test_a_body_that_was_changed_kills_nothing_and_changes_nothing(
    service: Service, form: str, request: pytest.FixtureRequest
) -> None:
    count: int = request.config.getoption("--mutations") or 60
    path, kind, seeds = SEEDS[form]
    began = time.monotonic()
    found: Counter[int] = Counter()
    bodies = mutations(seeds, count, seed=count)
    for some in compared(service.folder, bodies, seed=count, but=comes_in):
        found.update(asyncio.run(answers(service, path, kind, iter(some))))
    LOG.info("%s: %s in %.0f s", form, dict(found), time.monotonic() - began)
    assert sum(found.values()) == count
    assert found[503] < MOST_BUSY * count, "what was not read shows nothing"
    assert service.process.poll() is None
    assert service.ask().status_code == 200
    assert service.ask(as_csv(TABLE), CSV, FILE).status_code == 200
    assert "Traceback" not in service.log()
    assert "request_failed" not in service.log()


def deep(levels: int) -> bytes:
    """A line of JSON that is nested so deeply."""
    return b'{"elevation_m":' + b"[" * levels + b"]" * levels + b"}\n"


def dictionary_bomb(*, with_schema: bool) -> bytes:
    """Parquet that names one word of 4 MB some 200,000 times, in a few kilobytes."""
    table = TABLE.take(pa.array([0] * 200_000))
    word = pa.array(["a" * 4_000_000])
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), word)
    place = table.column_names.index("soil_type")
    sink = io.BytesIO()
    pq.write_table(
        table.set_column(place, "soil_type", words), sink, compression="zstd", store_schema=with_schema
    )
    return sink.getvalue()


def many_columns() -> bytes:
    """CSV with 200,000 columns."""
    names = [f"c{number}" for number in range(200_000)]
    return (",".join(names) + "\n" + ",".join("1" * len(names)) + "\n").encode()


def with_text(content: bytes) -> bytes:
    """CSV with bytes that are no UTF-8 in a value."""
    return as_csv(TABLE).replace(str(ROWS[0]["soil_type"]).encode(), content, 1)


def without_utf8(of: Callable[[pa.Table], bytes]) -> bytes:
    """A file whose words are no UTF-8."""
    column = pa.array([b"\xff\xfe\x80"] * len(ROWS), pa.binary()).view(pa.string())
    return of(TABLE.set_column(TABLE.column_names.index("soil_type"), "soil_type", column))


def unsigned() -> bytes:
    """Numbers that are no signed ones."""
    values = pa.array([2**64 - 5] * len(ROWS), pa.uint64())
    name = "vertical_distance_to_hydrology_m"
    return as_arrow(TABLE.set_column(TABLE.column_names.index(name), name, values))


def numbers_in_words() -> bytes:
    """Whole numbers in a dictionary, which are right."""
    column = TABLE["slope_deg"].combine_chunks().dictionary_encode()
    return as_arrow(TABLE.set_column(TABLE.column_names.index("slope_deg"), "slope_deg", column))


def changed_offset() -> Iterator[bytes]:
    """An Arrow stream whose offsets lie, one byte after the other."""
    whole = as_arrow(TABLE)
    for at in range(1_500, len(whole), 97):
        yield whole[:at] + b"\x6f" + whole[at + 1 :]


MADE_TO_HARM: dict[str, tuple[str, str, Callable[[], bytes], frozenset[int]]] = {
    "lists within lists": (FILE, JSON_LINES, lambda: deep(20_000), frozenset({400})),
    "objects within objects": (
        FILE,
        JSON_LINES,
        lambda: b'{"elevation_m":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001,
        frozenset({400}),
    ),
    "a line of 30 MB": (FILE, JSON_LINES, lambda: b'{"a": "' + b"b" * 30_000_000 + b'"}', frozenset({400})),
    "a word of 4 MB, 200,000 times": (
        FILE,
        PARQUET,
        lambda: dictionary_bomb(with_schema=False),
        frozenset({400, 422}),
    ),
    "the same as a dictionary": (
        FILE,
        PARQUET,
        lambda: dictionary_bomb(with_schema=True),
        frozenset({400, 422}),
    ),
    "200,000 columns of CSV": (FILE, CSV, many_columns, frozenset({400, 422})),
    "5,000 columns of CSV": (FILE, CSV, lambda: many_columns()[:40_000] + b"\n1\n", frozenset({400})),
    "unknown names in JSON Lines": (
        FILE,
        JSON_LINES,
        lambda: json.dumps({f"c{number}": 1 for number in range(4_000)}).encode(),
        frozenset({422}),
    ),
    "gzip of 300 MB of zeros": (FILE, CSV, lambda: zeros(300 * 2**20), frozenset({400})),
    "gzip of 8 MB of empty lines": (FILE, CSV, lambda: zeros(8 * 2**20, b"\n"), frozenset({400})),
    "gzip of gzip": (FILE, CSV, lambda: packed(packed(as_csv(TABLE))), frozenset({400})),
    "UTF-16 without an end": (FILE, CSV, lambda: b"\xff\xfe" + b"a\x00" * 10_000_000, frozenset({400})),
    "nothing but separators": (FILE, CSV, lambda: b";" * 10_000_000, frozenset({400})),
    "nothing but quotation marks": (
        FILE,
        CSV,
        lambda: as_csv(TABLE) + b'"' * 10_000_000,
        frozenset({400, 422}),
    ),
    "numbers that all differ and are none": (FILE, CSV, no_numbers, frozenset({422})),
    "powers without an end": (FILE, CSV, lambda: one_number("1e999999999"), frozenset({422})),
    "a number of 60,000 digits": (FILE, CSV, lambda: one_number("9" * 60_000), frozenset({422})),
    "a document that is nested": (FILE, JSON_LINES, lambda: b"[" * 1_000_000, frozenset({400, 413})),
    "a document of 40 MB": (FILE, JSON_LINES, lambda: b"[" + b"{}," * 13_000_000 + b"{}]", frozenset({400})),
    "a document of 300,000 rows": (FILE, JSON_LINES, lambda: b"[" + b"{}," * 300_000 + b"{}]", HELD),
    "CSV that is no text": (FILE, CSV, lambda: with_text(b"\xff\xfe"), frozenset({400})),
    "a header that is no text": (FILE, CSV, lambda: b"\xff\xfe" + as_csv(TABLE), frozenset({400})),
    "Parquet that is no text": (FILE, PARQUET, lambda: without_utf8(as_parquet), frozenset({400, 422})),
    "Arrow that is no text": (FILE, ARROW, lambda: without_utf8(as_arrow), frozenset({400, 422})),
    "numbers without a sign": (FILE, ARROW, unsigned, frozenset({422})),
    "numbers in a dictionary": (FILE, ARROW, numbers_in_words, frozenset({200})),
    "zstd of nothing": (
        FILE,
        ARROW,
        lambda: as_arrow(
            pa.table({name: ["a" * 5_000_000] * 20 for name in TABLE.column_names}), compression="zstd"
        ),
        frozenset({400, 422}),
    ),
    "deep lists for one row": (ONE, JSON, lambda: b"[" * 1_000_000, frozenset({413})),
    "deep objects for many rows": (
        ONE,
        JSON,
        lambda: b'{"rows":' + b'[{"rows":' * 100_000,
        frozenset({413}),
    ),
    "a number of 900,000 digits": (
        ONE,
        JSON,
        lambda: BODY.replace(str(ROW["elevation_m"]).encode(), b"9" * 900_000, 1),
        frozenset({400, 422}),
    ),
    "60,000 names": (
        ONE,
        JSON,
        lambda: json.dumps({f"c{number}": 1 for number in range(60_000)}).encode(),
        frozenset({413, 422}),
    ),
}


@pytest.mark.parametrize("what", MADE_TO_HARM)
def test_a_body_that_is_made_to_harm_gets_its_reason_and_harms_nobody(service: Service, what: str) -> None:
    path, kind, made, statuses = MADE_TO_HARM[what]
    process = psutil.Process(service.process.pid)
    before = process.memory_info().rss
    reply = service.ask(made(), kind, path)
    assert reply.status_code in statuses, reply.text[:500]
    if reply.status_code != 200:
        assert reply.headers["content-type"] == "application/problem+json"
        assert len(reply.json()["detail"]) < 1_000
    assert service.ask(as_csv(TABLE), CSV, FILE).status_code == 200
    assert process.memory_info().rss - before < 150 * 2**20
    assert "Traceback" not in service.log()


def test_a_stream_whose_offsets_lie_costs_its_reader_alone(service: Service) -> None:
    bodies = list(changed_offset())
    assert len(bodies) > 20
    for body in bodies:
        with unchanged(service.folder, but=comes_in):
            assert service.ask(body, ARROW, FILE).status_code in EXPECTED
    assert service.ask().status_code == 200


def test_a_file_that_a_body_had_written_would_be_noticed(service: Service) -> None:
    written = service.folder / "cache" / "of-a-body"
    with pytest.raises(AssertionError, match="of-a-body"), unchanged(service.folder, but=comes_in):
        written.write_bytes(service.ask().content)
    written.unlink()


def test_nothing_of_a_file_is_left_on_the_disk(service: Service) -> None:
    for body in (as_csv(TABLE), b"", b"nothing of the kind", deep(20_000)):
        service.ask(body, CSV, FILE)
    assert list((service.folder / "serving-work").iterdir()) == []


def test_the_reading_process_ends_with_the_service(tmp_path: Path) -> None:
    put_model(tmp_path)
    with served(tmp_path) as service:
        service.ask(as_csv(TABLE), CSV, FILE)
        children = psutil.Process(service.process.pid).children(recursive=True)
        assert children
        service.process.kill()
        service.process.wait(10)
        _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """httpx would log each request."""
    caplog.set_level(logging.WARNING, "httpx")
