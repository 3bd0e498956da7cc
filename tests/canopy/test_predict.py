"""`canopy predict` on people's files: rows, or one sentence that names the row, the value and the remedy."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from canopy.screens.predict import rows_from
from clients.predictions import kind_of
from contracts.errors import OutsideContract, RowsUnreadable
from tabular.formats import ARROW, CSV, JSON_LINES, PARQUET
from tests.tabular.people import (
    Row,
    as_arrow,
    as_csv,
    as_lines,
    as_parquet,
    cells,
    changed,
    packed,
    with_column,
)

CELLS = cells(2)


def written(folder: Path, content: bytes | str, name: str = "rows.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def floats(rows: list[Row]) -> list[Row]:
    return [
        {name: float(value) if isinstance(value, int) else value for name, value in row.items()}
        for row in rows
    ]


READ = {
    "a list": json.dumps(CELLS),
    "indented": json.dumps(CELLS, indent=2),
    "one a line": as_lines(CELLS),
    "as the service takes them": json.dumps({"rows": CELLS}),
    "as the service takes them, indented": json.dumps({"rows": CELLS}, indent=2),
    "with a mark": b"\xef\xbb\xbf" + json.dumps(CELLS).encode(),
    "UTF-16, as PowerShell writes it": json.dumps(CELLS).encode("utf-16"),
    "floats": json.dumps(floats(CELLS)),
    "text": json.dumps([{name: str(value) for name, value in row.items()} for row in CELLS]),
    "more names": json.dumps(with_column(CELLS, "Id", int)),
    "packed": packed(json.dumps(CELLS).encode()),
}


@pytest.mark.parametrize("what", READ)
def test_json_is_read(what: str, tmp_path: Path) -> None:
    assert rows_from(written(tmp_path, READ[what])) == CELLS


def test_one_row_and_stdin_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows_from(written(tmp_path, json.dumps(CELLS[0], indent=1))) == CELLS[:1]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(CELLS).encode())))
    assert rows_from(Path("-")) == CELLS


REFUSED = {
    "nothing": ("", "it is empty"),
    "blanks": (" \n\n", "it is empty"),
    "NaN": (
        json.dumps([{**CELLS[0], "elevation_m": float("nan")}]),
        "in row 1, elevation_m='NaN'; allowed is",
    ),
    "Infinity": (json.dumps(changed(CELLS, 2, slope_deg=float("inf"))), "in row 2, slope_deg='inf'"),
    "null": (json.dumps(changed(CELLS, 2, slope_deg=None)), "in row 2, slope_deg is missing"),
    "a fraction": (
        json.dumps(changed(CELLS, 2, slope_deg=3.5)),
        "in row 2, slope_deg=3.5; allowed is integer",
    ),
    "lists": (json.dumps([list(row.values()) for row in CELLS]), "row 1 is no object with names: [2000, 51"),
    "numbers": ("[1, 2]", "row 1 is no object with names: 1. Write each row as an object"),
    "a text": ('"abc"', 'it is JSON, and no row: "abc". Write each row as an object'),
    "a number": (" 7\n", "it is JSON, and no row: 7. Write each row as an object"),
    "nothing of JSON": ("null", "it is JSON, and no row: null."),
    "a text in a list": ('["abc"]', 'row 1 is no object with names: "abc"'),
    "a list in the service's form": ('{"rows": 3}', "it is no list of rows: 3"),
    "no rows": ("[]", "it has 0 rows"),
    "half of it": (json.dumps(CELLS)[:-30], "it is not JSON"),
    "deep": ("[" * 100_000, "it is JSON that is nested too deeply"),
    "CSV": (as_csv(CELLS), "it is CSV, whose answers go into a file. Add --output answers.csv."),
    "Parquet": (as_parquet(CELLS), "it is Parquet, whose answers go into a file. Add --output answers.csv."),
    "Arrow": (as_arrow(CELLS), "Add --output answers.csv."),
    "a workbook": (b"PK\x03\x04" + bytes(99), "it is a workbook (xlsx, ods) or a zip archive"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_json_of_rows_is_refused_with_a_sentence(what: str, tmp_path: Path) -> None:
    content, sentence = REFUSED[what]
    with pytest.raises((RowsUnreadable, OutsideContract)) as refused:
        rows_from(written(tmp_path, content))
    assert sentence in str(refused.value)
    assert "Nothing was predicted" in str(refused.value) or "rows.json cannot be used" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("cells.csv", as_csv(CELLS), CSV),
        ("CELLS.CSV", as_csv(CELLS), CSV),
        ("cells", as_csv(CELLS, ";"), CSV),
        ("cells.data", as_csv(CELLS), CSV),
        ("cells.csv.gz", packed(as_csv(CELLS).encode()), CSV),
        ("cells.parquet", as_parquet(CELLS), PARQUET),
        ("cells.csv", as_parquet(CELLS), PARQUET),
        ("cells.parquet.gz", packed(as_parquet(CELLS)), PARQUET),
        ("cells.feather", as_arrow(CELLS, is_file=True), ARROW),
        ("cells", as_arrow(CELLS), ARROW),
        ("rows.json", json.dumps(CELLS), JSON_LINES),
        ("rows.NDJSON.GZ", packed(as_lines(CELLS)), JSON_LINES),
        ("rows.json.gz", packed(json.dumps(CELLS).encode()), JSON_LINES),
        ("rows.gz", packed(as_lines(CELLS)), JSON_LINES),
        ("rows.gz", packed(as_parquet(CELLS)), PARQUET),
        ("rows.gz", packed(as_arrow(CELLS)), ARROW),
        ("rows.csv.gz", packed(as_parquet(CELLS)), PARQUET),
        ("rows.json", json.dumps(CELLS).encode("utf-16"), JSON_LINES),
        ("rows.json", json.dumps(CELLS).encode("utf-16-le"), JSON_LINES),
        ("cells.csv", json.dumps(CELLS), JSON_LINES),
        ("cells.jsonl", as_csv(CELLS), CSV),
        ("cells.parquet", as_csv(CELLS), CSV),
        ("cells.arrow.gz", packed(as_csv(CELLS).encode()), CSV),
        ("nothing.jsonl", "", JSON_LINES),
        ("nothing", "", CSV),
    ],
)
def test_a_file_is_sent_as_what_it_is(name: str, content: bytes | str, kind: str) -> None:
    assert kind_of(Path(name), content.encode() if isinstance(content, str) else content) == kind


def test_a_workbook_is_not_sent() -> None:
    with pytest.raises(RowsUnreadable, match=r"cells\.xlsx cannot be used: it is a workbook"):
        kind_of(Path("cells.xlsx"), b"PK\x03\x04" + bytes(99))
