"""Bronze: what the source said, byte for byte and as rows, each written once."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from contracts.covertype import covertype
from contracts.errors import LandingConflict, RawDamaged, RowsDamaged
from contracts.landing_id import LANDING_PATTERN, moment_in, moment_text, name_in
from lake.objects import Objects

RAW, ROWS, REFUSED = "bronze/raw", "bronze/rows", "bronze/refused"
# RFC 8878, 3.1.2: a frame with this magic number is user data that every zstd reader skips, so that
# `zstd -d` of a raw object gives the response's bytes and nothing else.
SKIPPABLE_MAGIC = 0x184D2A50
# No response of so many bytes was ever taken; a damaged length may say anything.
LARGEST_RAW = 2**30
# The name of a landing's objects: when it was fetched, and the response's sha256.
LANDING_ID = re.compile(LANDING_PATTERN)
ENDINGS = {RAW: ".json.zst", ROWS: ".parquet", REFUSED: ".json"}
# What a row file has beside the source's columns, all of them text.
PROVENANCE_KINDS: dict[str, pa.DataType] = {
    "landing_id": pa.string(),
    "source": pa.string(),
    "group_number": pa.int32(),
    "batch_number": pa.int32(),
    "fetched_at": pa.timestamp("us", "UTC"),
    "request_id": pa.string(),
    "position": pa.int32(),
    "sha256": pa.string(),
    "url": pa.string(),
    "client_version": pa.string(),
    "raw_key": pa.string(),
}
DAMAGE = (
    struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError,
    zstandard.ZstdError,
)  # fmt: skip


@dataclass(frozen=True)
class Provenance:
    """Where a response came from.

    Attributes:
        adapter: The form that the source was set to have when it was asked; `none` is the contract's own.
    """

    source: str
    group: int
    fetched_at: datetime
    request_id: str
    url: str
    client_version: str
    adapter: str = "none"


@dataclass(frozen=True)
class Raw:
    """A response that is safe in bronze, whatever it holds."""

    landing_id: str
    key: str
    sha256: str
    provenance: Provenance


@dataclass(frozen=True)
class Landing:
    """A response whose rows are in bronze."""

    landing_id: str
    key: str
    raw_key: str
    group: int
    batch: int
    rows: int
    fetched_at: datetime


def keep_raw(objects: Objects, body: bytes, provenance: Provenance) -> Raw:
    """Keeps a response byte for byte, before anything else is done with it.

    The provenance lies in front of the response, in a frame that zstd readers skip: one object, one
    write, so that a crash can never separate the two.

    Raises: LandingConflict if the key holds another response.
    """
    digest = sha256(body).hexdigest()
    key = raw_key(provenance, digest)
    raw = Raw(name_in(key), key, digest, provenance)
    # Level 1 takes four fifths of the time of level 3, and 2 % more room.
    compressed = zstandard.ZstdCompressor(level=1).compress(body)
    try:
        objects.put_new(key, _skippable_frame(provenance) + compressed)
    except LandingConflict:
        # Another version of the compressor may have kept the same response: equal content, other bytes.
        if read_raw(objects, key) != (body, raw):
            raise
    return raw


def raw_key(provenance: Provenance, digest: str) -> str:
    """Returns the key of a response with this provenance and this sha256."""
    moment = moment_text(provenance.fetched_at)
    return f"{RAW}/{_folder(provenance)}/{moment}-{digest}.json.zst"


def read_raw(objects: Objects, key: str) -> tuple[bytes, Raw]:
    """Returns the response's bytes, checked against the key, and its provenance.

    Raises: RawDamaged if the bytes are not those that were kept; ObjectMissing.
    """
    stored = objects.read(key)
    try:
        provenance, offset = _read_frame(stored)
        body = _decompressed(stored[offset:])
    except DAMAGE as error:
        raise RawDamaged(key, str(error)) from error
    landing_id = name_in(key)
    digest = sha256(body).hexdigest()
    if not landing_id.endswith(digest):
        raise RawDamaged(key, f"its response has the sha256 {digest}")
    return body, Raw(landing_id, key, digest, provenance)


def land_rows(
    objects: Objects, raw: Raw, batch: int, rows: Sequence[Sequence[str]], adapter: str | None = None
) -> Landing:
    """Writes a response's rows as Parquet; that object is the commit of the landing.

    Args:
        objects: The store.
        raw: What `keep_raw` returned.
        batch: The batch number that the response carries, a label only.
        rows: Values as the source wrote them, shape (n_rows, 13), in the contract's order.
        adapter: With which the rows were read, where that is not the one that the response was fetched with.

    Raises: LandingConflict if other rows of this response are there, or equal ones read with another adapter.
    """
    landing = _landing(raw, batch, len(rows))
    parquet = to_parquet(_table(raw, batch, rows, adapter or raw.provenance.adapter))
    try:
        objects.put_new(landing.key, parquet)
    except LandingConflict:
        # Another version of the Parquet writer may have landed the same response: equal rows, other bytes.
        if not read_landed(objects, landing.key).equals(_rows_in(parquet)):
            raise
    return landing


def replace_rows(
    objects: Objects, raw: Raw, batch: int, rows: Sequence[Sequence[str]], adapter: str
) -> Landing:
    """Writes a response's rows anew, whatever is there: for a replay, whose truth is the raw response."""
    landing = _landing(raw, batch, len(rows))
    objects.put(landing.key, to_parquet(_table(raw, batch, rows, adapter)))
    return landing


def read_landed(objects: Objects, key: str) -> pa.Table:
    """Returns what a row file holds, with the column `adapter` also where it is older than that.

    Raises: RowsDamaged if it is no Parquet, or holds text that is not UTF-8; ObjectMissing.
    """
    try:
        rows = _rows_in(objects.read(key))
        rows.validate(full=True)  # Arrow takes text on trust
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        raise RowsDamaged(key, str(error)) from error
    return rows


def differing(
    landed: pa.Table, raw: Raw, batch: int, rows: Sequence[Sequence[str]], adapter: str
) -> list[str]:
    """Returns the columns in which a row file is not what its response says it must be; none where it is
    whole.

    Args:
        landed: What `read_landed` gave.
        raw: The response.
        batch: The batch number that the response carries.
        rows: Its rows, shape (n_rows, 13), in the contract's order.
        adapter: With which they were read.
    """
    wanted = _table(raw, batch, rows, adapter)
    return [
        name
        for name in [*wanted.column_names, *sorted(set(landed.column_names) - set(wanted.column_names))]
        if name not in landed.column_names
        or name not in wanted.column_names
        or not landed[name].equals(_plain(wanted[name]))
    ]


def rows_key(raw_key: str) -> str:
    """Returns where the rows of a raw object are, or would be."""
    return _sibling(raw_key, ROWS, ".parquet")


def row_file_fault(objects: Objects, key: str) -> str | None:
    """Returns what keeps a row file from being read as one; None where it is whole. Raises: ObjectMissing."""
    try:
        rows = read_landed(objects, key)
    except RowsDamaged as error:
        return str(error)
    kinds = dict.fromkeys(_source_names(), pa.string()) | PROVENANCE_KINDS
    wrong = [
        name for name, kind in kinds.items()
        if name not in rows.column_names or rows.schema.field(name).type != kind
    ]  # fmt: skip
    if wrong:
        return f"it has not the columns of a row file: {', '.join(wrong[:5])}"
    names = rows["landing_id"].unique().to_pylist()
    return None if names in ([name_in(key)], []) else "its rows belong to another landing"


def refuse(objects: Objects, raw: Raw, difference: str) -> None:
    """Records why a response was not landed, so that it is not tried again at each start.

    The first reason stays: a later reading of the same response may put it in other words.
    """
    record = {"landing_id": raw.landing_id, "raw_key": raw.key, "difference": difference}
    with suppress(LandingConflict):
        objects.put_new(_sibling(raw.key, REFUSED, ".json"), json.dumps(record, ensure_ascii=False).encode())


def unfinished(objects: Objects) -> list[str]:
    """Returns keys of raw responses with neither rows nor a refusal: a crash came in between."""
    done = {name_in(key) for folder in (ROWS, REFUSED) for key in objects.keys(folder)}
    return [key for key in objects.keys(RAW) if is_landing(key) and name_in(key) not in done]


def is_landing(key: str) -> bool:
    """Returns whether a key is one that a landing's object has; anything else got there by other ways."""
    name = key.rpartition("/")[2]
    ending = next((end for folder, end in ENDINGS.items() if key.startswith(f"{folder}/")), None)
    return ending is not None and name.endswith(ending) and moment_of(key) is not None


def moment_of(key: str) -> datetime | None:
    """Returns when the response of a landing's object was fetched, by its key; None where it is no such
    key."""
    stem = name_in(key)
    if not LANDING_ID.fullmatch(stem):
        return None
    try:
        return moment_in(stem)
    except ValueError:
        return None


def _landing(raw: Raw, batch: int, rows: int) -> Landing:
    at = raw.provenance.fetched_at
    return Landing(raw.landing_id, rows_key(raw.key), raw.key, raw.provenance.group, batch, rows, at)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns one value after the other, without a dictionary."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def to_parquet(table: pa.Table) -> bytes:
    """Returns a row file. The columns of the source have no statistics: as text, 10 comes before 9.

    Without Arrow's own schema every reader is given plain values, and none our way of repeating them. Snappy
    takes three quarters of zstd's time here, and a fifth more room.
    """
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="snappy",
        store_schema=False,
        use_dictionary=[name for name in table.column_names if name != "position"],
        column_encoding={"position": "DELTA_BINARY_PACKED"},
        write_statistics=[name for name in table.column_names if name not in _source_names()],
    )
    return buffer.getvalue()


def _rows_in(parquet: bytes) -> pa.Table:
    """Returns what a row file holds; it had no `adapter` while there was none."""
    table = pq.read_table(io.BytesIO(parquet))
    if "adapter" in table.column_names:
        return table
    return table.append_column("adapter", pa.repeat("none", table.num_rows))


def _table(raw: Raw, batch: int, rows: Sequence[Sequence[str]], adapter: str) -> pa.Table:
    names = _source_names()
    values = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    columns = {name: pa.array(column, pa.string()) for name, column in zip(names, values, strict=True)}
    return with_provenance(pa.table(columns), raw, batch, adapter)


def with_provenance(values: pa.Table, raw: Raw, batch: int, adapter: str) -> pa.Table:
    """Returns a response's values, and beside each row where it comes from: what a row file holds."""
    count = values.num_rows
    columns = {
        "landing_id": _repeated(raw.landing_id, count),
        "source": _repeated(raw.provenance.source, count),
        "group_number": _repeated(raw.provenance.group, count, pa.int32()),
        "batch_number": _repeated(batch, count, pa.int32()),
        "fetched_at": _repeated(raw.provenance.fetched_at, count, pa.timestamp("us", "UTC")),
        "request_id": _repeated(raw.provenance.request_id, count),
        "position": pa.array(np.arange(count, dtype=np.int32)),
        "sha256": _repeated(raw.sha256, count),
        "url": _repeated(raw.provenance.url, count),
        "client_version": _repeated(raw.provenance.client_version, count),
        "raw_key": _repeated(raw.key, count),
        "adapter": _repeated(adapter, count),
    }
    return pa.table({**{name: values[name] for name in values.column_names}, **columns})


def _repeated(value: Any, count: int, kind: pa.DataType | None = None) -> pa.DictionaryArray:
    """Returns one value as often as there are rows; the writer need not look for it in each of them again."""
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int8), pa.array([value], kind or pa.string()))


def _source_names() -> list[str]:
    return [column.source_name for column in covertype().columns]


def _folder(provenance: Provenance) -> str:
    day = f"{provenance.fetched_at.astimezone(UTC):%Y-%m-%d}"
    return f"{provenance.source}/group={provenance.group:02d}/date={day}"


def _sibling(raw_key: str, folder: str, suffix: str) -> str:
    return folder + raw_key.removeprefix(RAW).removesuffix(".json.zst") + suffix


def _skippable_frame(provenance: Provenance) -> bytes:
    fields = {**vars(provenance), "fetched_at": provenance.fetched_at.astimezone(UTC).isoformat()}
    content = json.dumps(fields, sort_keys=True).encode()
    return struct.pack("<II", SKIPPABLE_MAGIC, len(content)) + content


def _decompressed(frame: bytes) -> bytes:
    size = zstandard.frame_content_size(frame)
    if size > LARGEST_RAW:
        raise ValueError(f"it says that it unpacks to {size} bytes")
    return zstandard.ZstdDecompressor().decompress(frame, max_output_size=LARGEST_RAW if size < 0 else 0)


def _read_frame(stored: bytes) -> tuple[Provenance, int]:
    magic, length = struct.unpack_from("<II", stored)
    if magic != SKIPPABLE_MAGIC:
        raise ValueError("it has no provenance in front")
    fields = json.loads(stored[8 : 8 + length])
    fields["fetched_at"] = datetime.fromisoformat(fields["fetched_at"])
    return Provenance(**fields), 8 + length
