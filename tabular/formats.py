"""The formats that tables come in: by content type, by the end of a name, and by the first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from tabular.errors import TableUnreadable

CSV, JSON_LINES = "text/csv", "application/x-ndjson"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
NAMES = {CSV: "CSV", JSON_LINES: "JSON Lines", PARQUET: "Parquet", ARROW: "an Arrow stream"}
# What is written as well as the registered name.
ALIASES = {
    **{kind: kind for kind in NAMES},
    "application/csv": CSV,
    "text/tab-separated-values": CSV,
    "application/jsonl": JSON_LINES,
    "application/x-jsonlines": JSON_LINES,
    "application/parquet": PARQUET,
    "application/x-parquet": PARQUET,
    "application/vnd.apache.arrow.file": ARROW,
}
ENDINGS = {
    ".csv": CSV,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".parquet": PARQUET,
    ".arrow": ARROW,
    ".arrows": ARROW,
}
# What a person may choose where only some names are offered.
CHOSEN = (
    *("csv", "tsv", "txt", "data", "gz", "parquet", "arrow", "arrows", "feather"),
    *("jsonl", "ndjson", "json"),
)

GZIP = b"\x1f\x8b"
PARQUET_MARK, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
# pyarrow, R and Polars write the first one when a stream is closed, older libraries the second.
ARROW_END, ARROW_SHORT_END = ARROW_STREAM + bytes(4), bytes(4)
UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
UTF32_MARKS = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
JSON_BEGINS = b"{["
UNPACK = "Unpack it, or compress it with gzip."
AS_CSV = "Save it as CSV (UTF-8)."
# What is no table of rows, and what to do about it.
FOREIGN: Mapping[bytes, tuple[str, str]] = {
    b"PK\x03\x04": (
        "it is a workbook (xlsx, ods) or a zip archive",
        "Save its sheet as CSV (UTF-8), or unpack it.",
    ),
    b"\xd0\xcf\x11\xe0": ("it is an old workbook (xls)", AS_CSV),
    b"SQLite format 3": ("it is a SQLite database", AS_CSV),
    b"\x28\xb5\x2f\xfd": ("it is compressed with zstd", UNPACK),
    b"BZh": ("it is compressed with bzip2", UNPACK),
    b"\xfd7zXZ": ("it is compressed with xz", UNPACK),
    b"7z\xbc\xaf": ("it is compressed with 7-Zip", UNPACK),
    b"%PDF": ("it is a PDF", AS_CSV),
    b"RDX": ("it is R's own format", 'Write it with write.csv(rows, "rows.csv", row.names = FALSE).'),
    b"\x80\x04\x95": (
        "it is a pickle of Python",
        'Write it with to_csv("rows.csv", index=False) or to_parquet.',
    ),
    b"\x89HDF": ("it is HDF5", AS_CSV),
}


def format_of(beginning: bytes) -> str:
    """Returns the format of some content by its first bytes; it is unpacked, and UTF-8 where it is text.

    Raises: TableUnreadable, naming what it is instead.
    """
    if beginning.startswith(PARQUET_MARK):
        return PARQUET
    if beginning.startswith((ARROW_FILE, ARROW_STREAM)):
        return ARROW
    for mark, (what, remedy) in FOREIGN.items():
        if beginning.startswith(mark):
            raise TableUnreadable(what, remedy)
    text = beginning.removeprefix(UTF8_MARK).lstrip()
    return JSON_LINES if text[:1] and text[:1] in JSON_BEGINS else CSV


def format_named(file: PurePath | str) -> str | None:
    """Returns the format that a file's name ends in, in any case, `.gz` left aside; None for others."""
    name = PurePath(str(file).lower().removesuffix(".gz"))
    return ENDINGS.get(name.suffix)
