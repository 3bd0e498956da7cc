"""Rows that a file holds and its footer does not tell of: the file is refused, and no ordinary one is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabular import whole_files
from tests.tabular.people import Refused, as_arrow, as_parquet, cells, features
from tests.tabular.people import packed as by_gzip

CELLS = cells()
TABLE = pa.Table.from_pylist(CELLS)
IN_WORDS = TABLE.set_column(11, "soil_type", TABLE["soil_type"].cast(pa.string()).dictionary_encode())
PIECES = 3  # of seven rows at most
# How Polars begins a file: the schema's FlatBuffer without a frame.
UNFRAMED = bytes.fromhex("04000000f2ffffff140000000400010000000a000b000800")


def footer_of(content: bytes) -> int:
    return len(content) - 10 - struct.unpack("<i", content[-10:-6])[0]


def footer_of_parquet(content: bytes) -> int:
    return len(content) - 8 - struct.unpack("<i", content[-8:-4])[0]


def blocks_of(content: bytes) -> list[bytes]:
    """The blocks of rows in an Arrow file's footer: where each begins, and its two lengths."""
    footer_at = footer_of(content)
    found: list[bytes] = []
    for at in range(footer_at, len(content) - 24, 4):
        place, size, _, body = struct.unpack_from("<qiiq", content, at)
        is_within = 0 < place < footer_at and 0 < size + body < footer_at
        if is_within and content[place : place + 4] == b"\xff" * 4 and _is_rows(content[place:]):
            found.append(content[at : at + 24])
    assert len(found) == PIECES
    return found


def _is_rows(content: bytes) -> bool:
    return bool(pa.ipc.read_message(content).type == "record batch")


def with_footer(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    at = footer_of(content)
    return content[:at] + change(content[at:])


def without_last(content: bytes) -> bytes:
    """Whose footer lists one piece less; the file's stay."""
    first = blocks_of(content)[0]
    return with_footer(
        content,
        lambda footer: footer.replace(struct.pack("<i", PIECES) + first, struct.pack("<i", 2) + first),
    )


def with_another_twice(content: bytes, left: int, twice: int) -> bytes:
    """Whose footer lists one piece twice, and another one never."""
    blocks = blocks_of(content)
    return with_footer(content, lambda footer: footer.replace(blocks[left], blocks[twice]))


def moved(content: bytes, between: bytes) -> bytes:
    """With bytes behind the first mark, and a footer that knows it."""
    found = with_footer(
        content[:8] + between + content[8:],
        lambda footer: _moved(footer, blocks_of(content), len(between)),
    )
    assert features(found) == CELLS
    return found


def _moved(footer: bytes, blocks: list[bytes], by: int) -> bytes:
    for block in reversed(blocks):
        (place,) = struct.unpack("<q", block[:8])
        footer = footer.replace(block, struct.pack("<q", place + by) + block[8:])
    return footer


FILE = as_arrow(TABLE, is_file=True)
PARQUET = as_parquet(TABLE)
LACKING = {
    "the last piece": without_last(FILE),
    "the last piece, packed": by_gzip(without_last(FILE)),
    "the last piece, its values compressed": without_last(as_arrow(TABLE, is_file=True, compression="zstd")),
    "the last piece, with words in a dictionary": without_last(as_arrow(IN_WORDS, is_file=True)),
    "the first piece, and has another twice": with_another_twice(FILE, 0, 1),
    "the piece in the middle, and has another twice": with_another_twice(FILE, 1, 2),
    "the first piece of a file that begins as Rust's": with_another_twice(moved(FILE, bytes(56)), 0, 2),
    "the first piece of a file that begins as Polars'": with_another_twice(moved(FILE, UNFRAMED), 0, 2),
}


@pytest.mark.parametrize("what", LACKING)
def test_an_arrow_file_whose_footer_leaves_out_rows_is_refused(what: str) -> None:
    with pytest.raises(Refused, match=r"^its footer lists 2 of its 3 pieces of rows\. Write it anew\.$"):
        features(LACKING[what])


@pytest.mark.parametrize("filling", [bytes([255]) * 56, (bytes([255]) * 6 + bytes([127, 127])) * 7])
def test_what_looks_like_the_beginning_of_a_piece_hides_none(filling: bytes) -> None:
    with pytest.raises(Refused, match=r"^its footer lists 2 of its 3 pieces of rows\."):
        features(with_another_twice(moved(FILE, filling), 0, 2))


def test_two_arrow_files_in_one_are_refused() -> None:
    with pytest.raises(Refused, match=r"^its footer lists 3 of its 6 pieces of rows\."):
        features(FILE * 2)
    with pytest.raises(Refused):  # the second one's footer does not fit the first one's pieces
        features(FILE + as_arrow(cells(400), is_file=True))


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("has_index", [False, True])
def test_two_parquet_files_in_one_are_refused(compression: str, has_index: bool) -> None:
    options: dict[str, Any] = {"compression": compression, "write_page_index": has_index}
    small, large = as_parquet(TABLE, **options), as_parquet(cells(400), **options)
    for joined in (small + small, small * 3, large + small, small + large, by_gzip(small + small)):
        with pytest.raises(Refused, match=r"as two in one. Send each by itself|it is damaged"):
            features(joined)
    with pytest.raises(Refused, match=r"^it goes on behind its end mark, as two in one"):
        features(small + small)


def _varint(number: int) -> bytes:
    """An integer of Thrift's compact protocol, zigzag, in two bytes."""
    return bytes([(number * 2) & 127 | 128, (number * 2) >> 7])


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"data_page_version": "2.0"}], ids=repr)
def test_parquet_that_tells_of_fewer_rows_than_its_columns_have_is_refused(options: dict[str, Any]) -> None:
    """Both numbers are lowered by which readers count: the file's own and that of its one group."""
    told = as_parquet(
        pa.Table.from_pylist(cells(1_000)), write_statistics=False, store_schema=False, **options
    )
    at = footer_of_parquet(told)
    footer, rows = told[at:], b"\x16" + _varint(1_000)
    first, last = footer.index(rows), footer.rindex(rows)
    for place in (first, last):
        footer = footer[:place] + b"\x16" + _varint(500) + footer[place + 3 :]
    lowered = told[:at] + footer
    assert pq.read_metadata(pa.BufferReader(lowered)).num_rows == 500
    assert sum(batch.num_rows for batch in pq.ParquetFile(pa.BufferReader(lowered)).iter_batches()) == 500
    with pytest.raises(Refused, match=r"^its footer tells of 500 rows where a column has 1,000 values\."):
        features(lowered)


@pytest.mark.timeout(60)
def test_what_only_looks_like_a_file_s_end_is_not_read_without_an_end() -> None:
    """Each mark has a length that reaches back to one large footer: 20,000 of them took over a minute."""
    empty = as_parquet(pa.table({f"c{number}": pa.array([], pa.int32()) for number in range(20_000)}))
    gap = bytearray(empty[footer_of_parquet(empty) : -8])
    for _ in range(20_000):
        gap += struct.pack("<i", len(gap)) + b"PAR1PAR1"
    at = footer_of_parquet(PARQUET)
    assert features(PARQUET[:at] + gap + PARQUET[at:]) == CELLS


@pytest.mark.timeout(60)
def test_what_only_looks_like_a_message_is_not_read_without_an_end() -> None:
    """All marks share one large FlatBuffer, and have a body that is too long: 100,000 took minutes."""
    count, sink = 100_000, pa.BufferOutputStream()
    batch = pa.record_batch([pa.array(range(2_000))], names=["a"])
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        at = sink.tell()
        stream.write_batch(batch, custom_metadata={f"k{number}": "" for number in range(100_000)})
    message = sink.getvalue().to_pybytes()[at:]
    buffer = message[8 : 8 + struct.unpack_from("<i", message, 4)[0]]
    (root,) = struct.unpack_from("<I", buffer)
    gap, size = bytearray(), 16 * count + len(buffer)
    for at in range(0, 16 * count, 16):
        gap += struct.pack("<IiII", 0xFFFFFFFF, size - at - 8, 16 * count + root - at - 8, 0)
    gap += buffer + bytes(-len(buffer) % 8)
    assert moved(FILE, bytes(gap))


def test_a_file_that_is_filled_up_with_marks_is_not_looked_at_byte_by_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, look = [], whole_files._number
    monkeypatch.setattr(
        whole_files, "_number", lambda content, at, size=4: looks.append(at) or look(content, at, size)
    )
    for filling in (bytes([255]) * 1_000_000, (bytes([255]) * 6 + bytes([127, 127])) * 100_000):
        assert moved(FILE, filling)
    assert 0 < len(looks) < 10_000


ORDINARY = {
    "an Arrow file": FILE,
    "an Arrow file with its values compressed": as_arrow(TABLE, is_file=True, compression="lz4"),
    "an Arrow file with words in a dictionary": as_arrow(IN_WORDS, is_file=True),
    "an Arrow file that begins as Rust's": moved(FILE, bytes(56)),
    "an Arrow file that begins as Polars'": moved(FILE, UNFRAMED),
    "Parquet": PARQUET,
    "Parquet with an index of pages": as_parquet(TABLE, write_page_index=True, row_group_size=3),
    "Parquet with lists beside": as_parquet(
        TABLE.append_column("more", pa.array([[1, 2, 3]] * len(CELLS))), row_group_size=5
    ),
    "Parquet with sums": as_parquet(TABLE, write_page_checksum=True, data_page_version="2.0"),
    "Parquet in which a file of Parquet is a value": as_parquet(
        TABLE.append_column("file", pa.array([PARQUET] * len(CELLS), pa.binary())),
        use_dictionary=False, compression="none", column_encoding={"file": "DELTA_LENGTH_BYTE_ARRAY"},
        write_page_index=True,
    ),
    "an Arrow file in which a file of Arrow is a value": as_arrow(
        TABLE.append_column("file", pa.array([FILE] * len(CELLS), pa.binary())), is_file=True
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ORDINARY)
def test_ordinary_files_are_read(what: str) -> None:
    assert features(ORDINARY[what]) == CELLS


def test_parquet_with_the_filters_of_duckdb_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cells.parquet"
    duckdb.from_arrow(TABLE).write_parquet(str(file), row_group_size=2048)
    found = duckdb.sql(f"select count(bloom_filter_offset) from parquet_metadata('{file}')").fetchone()
    assert found is not None
    assert found[0] > 0
    assert features(file.read_bytes()) == CELLS


def test_a_mark_in_a_gap_is_no_end_of_a_file() -> None:
    """Nobody says what stands between the columns and the footer: an index holds a person's own words."""
    footer_at = footer_of_parquet(PARQUET)
    told = PARQUET[:footer_at] + b"PAR1" * 3 + struct.pack("<i", 40) + b"PAR1PAR1" + PARQUET[footer_at:]
    assert pq.read_table(pa.BufferReader(told)).num_rows == len(CELLS)
    assert features(told) == CELLS
