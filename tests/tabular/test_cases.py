"""What people have met, each in several variants: it is read, or the sentence names it and what to do."""

from __future__ import annotations

import csv
import decimal
import io
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from tabular.content import MOST_MEMBERS, kind_of_content
from tabular.formats import ARROW, CSV, JSON_LINES, PARQUET
from tabular.json_rows import DECODER
from tabular.reader import Bounds, TableReader
from tests.tabular.people import (
    CONTRACT,
    FEATURES,
    Refused,
    Row,
    as_arrow,
    as_csv,
    as_lines,
    as_parquet,
    cells,
    changed,
    features,
    packed,
    read,
    served,
    survey,
    with_column,
)

CELLS, SURVEY = cells(), survey()
CASES = Path(__file__).parents[3] / "shared" / "cases"
NAMES = list(SURVEY[0])
LABEL = CONTRACT.label.source_name


def frame(rows: list[dict[str, str]]) -> pd.DataFrame:
    """Rows as pandas has them after reading them."""
    return pd.read_csv(io.StringIO(as_csv(rows)))


def one_hot(rows: list[dict[str, str]]) -> list[Row]:
    """UCI's form: a column of 0 and 1 for each area and soil, labels from 1."""
    found = []
    for row in rows:
        numbers = dict(list(row.items())[:10])
        areas = {f"Wilderness_Area{place}": 0 for place in range(1, 5)}
        soils = {f"Soil_Type{place}": 0 for place in range(1, 41)}
        found.append({**numbers, **areas, **soils, LABEL: int(row[LABEL]) + 1})
    return found


def without_names(text: str) -> str:
    return text.partition("\n")[2]


def in_r(rows: list[Row], separator: str) -> str:
    """As R's write.table has it: row names that have no name."""
    names, *lines = as_csv(rows, separator).splitlines()
    return "\n".join([names, *(f'"{place}"{separator}{line}' for place, line in enumerate(lines, 1))]) + "\n"


TWENTY = b"\x16\x28"  # as Thrift writes it


def group_of(content: bytes, rows: int) -> bytes:
    """Parquet of 20 rows in one group, whose footer says that the group has others; the file's stay."""
    start, end = content.rsplit(TWENTY, 1)
    return start + TWENTY[:1] + bytes([2 * rows]) + end


def in_all(content: bytes, rows: int) -> bytes:
    """Parquet of 20 rows, whose footer says that the file has others; the group's stay."""
    at = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return content[:at] + content[at:].replace(TWENTY, TWENTY[:1] + bytes([2 * rows]), 1)


def as_typed(rows: list[Row]) -> str:
    """Rows as an editor of text leaves them: no value is quoted."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(",".join(map(str, line)) + "\n" for line in lines)


def with_marks(rows: list[Row], place: int, *, mark: str = '"') -> list[Row]:
    """Rows with a column of notes at this place, with a mark in the second one and the fourth."""
    found = []
    for number, row in enumerate(rows, start=1):
        values = list(row.items())
        note = ("note", mark if number in (2, 4) else "x")
        found.append(dict([*values[:place], note, *values[place:]]))
    return found


def one_more(rows: list[Row], value: str, *, is_first: bool = False) -> str:
    """Rows with a value more than there are names."""
    names, *lines = as_csv(rows).splitlines()
    more = [f"{value},{line}" if is_first else f"{line},{value}" for line in lines]
    return "\n".join([names, *more]) + "\n"


UNNAMED = [{**row, LABEL: ""} for row in SURVEY]
WORDLESS = [{**row, "Wilderness_Area": "?", "Soil_Type": "?"} for row in SURVEY]
SWALLOWS = "a quotation mark that opens in line 3 swallows the lines after it. Double it or remove it."
READ_FOR_THE_SIMULATOR = {
    "plain": as_csv(SURVEY),
    "Excel's UTF-8": "\ufeff" + as_csv(SURVEY, end="\r\n"),
    "empty lines at the end": as_csv(SURVEY) + "\n\r\n\n",
    "the index of pandas": frame(SURVEY).to_csv(),
    "the index of pandas, saved twice": pd.read_csv(io.StringIO(frame(SURVEY).to_csv())).to_csv(),
    "a named index of pandas": frame(SURVEY).rename_axis("row").to_csv(sep=";"),
    "R's write.csv": as_csv(with_column(SURVEY, "", str, is_first=True), quoting=csv.QUOTE_NONNUMERIC),
    "R's write.table, by tabs": in_r(SURVEY, "\t"),
    "R's write.csv2": in_r(SURVEY, ";"),
    "an index in Parquet": frame(SURVEY).set_index(pd.Index(range(7, 127))).to_parquet(),
    "a range as an index in Parquet": frame(SURVEY).to_parquet(),
    "a named index in Parquet": frame(SURVEY)
    .set_index(pd.Index(range(120), name="Id"))
    .to_parquet(index=True),
    "two levels in Parquet": frame(SURVEY)
    .set_index([pd.Index(range(120)), pd.Index([3] * 120)])
    .to_parquet(),
    "semicolons": "\ufeff" + as_csv(SURVEY, ";", end="\r\n"),
    "tabs": as_csv(SURVEY, "\t"),
    "bars": as_csv(SURVEY, "|"),
    "a line that says the separator": "sep=;\r\n" + as_csv(SURVEY, ";", end="\r\n"),
    "a separator at the end of each line": as_csv(SURVEY, end=",\n"),
    "a separator at the end of each row": as_csv(SURVEY).replace("\n", ",\n").replace(",\n", "\n", 1),
    "blanks behind the commas": as_csv(SURVEY).replace(",", ", "),
    "another order": as_csv([dict(reversed(row.items())) for row in SURVEY]),
    "the names of silver": as_csv(
        [dict(zip([*FEATURES, LABEL], row.values(), strict=True)) for row in SURVEY]
    ),
    "names in capitals": as_csv([{name.upper(): value for name, value in row.items()} for row in SURVEY]),
    "UTF-16 with a mark": as_csv(SURVEY).encode("utf-16"),
    "UTF-16, the other way round": "\ufeff".encode("utf-16-be") + as_csv(SURVEY).encode("utf-16-be"),
    "UTF-16 without a mark": as_csv(SURVEY, "\t").encode("utf-16-le"),
    "packed": packed(as_csv(SURVEY).encode()),
    "packed in two parts": packed(as_csv(SURVEY).encode()[:5000]) + packed(as_csv(SURVEY).encode()[5000:]),
    "UTF-16, packed": packed(as_csv(SURVEY, ";").encode("utf-16")),
    "Parquet, packed": packed(as_parquet(SURVEY)),
    "lines that old Macs end": as_csv(SURVEY, end="\r"),
    "all floats": as_csv(SURVEY, text=lambda value: f"{value}.0" if value.isdigit() else value),
    "all floats, the Spanish way": as_csv(SURVEY, ";", text=lambda v: f"{v},00" if v.isdigit() else v),
    "R's powers": as_csv(SURVEY, text=lambda value: f"{int(value):.5e}" if value.isdigit() else value),
    "floats in Parquet": frame(SURVEY).astype(dict.fromkeys(NAMES[:10], "float64")).to_parquet(),
    "narrow floats in Parquet": frame(SURVEY).astype(dict.fromkeys(NAMES[:10], "float32")).to_parquet(),
    "narrow numbers in Parquet": frame(SURVEY).astype(dict.fromkeys(NAMES[:10], "int16")).to_parquet(),
    "categories in Parquet": frame(SURVEY).astype({"Soil_Type": "category", LABEL: "category"}).to_parquet(),
    "an Arrow file": as_arrow(SURVEY, is_file=True),
    "JSON Lines": as_lines(SURVEY),
    "a value at the end that has no name": one_more(SURVEY, "seen"),
    "inches in a value": as_typed(with_marks(SURVEY, 13, mark='5" tree')),
    "one value with inches": as_typed(
        with_marks(SURVEY[:3], 13, mark='5" tree') + with_column(SURVEY[3:], "note", str)
    ),
    "a last line of blanks": as_csv(SURVEY) + "   ",
    "lines of blanks": as_csv(SURVEY, end="\r\n").replace("\r\n", "\r\n \t \r\n"),
    "packed, and zeros behind it": packed(as_csv(SURVEY).encode()) + bytes(10_240),
    "packed in two parts with zeros between": packed(as_csv(SURVEY).encode()[:5000])
    + bytes(512)
    + packed(as_csv(SURVEY).encode()[5000:]),
    "packed line by line, with an empty part at the end, as bgzip has it": b"".join(
        packed(line.encode()) for line in [*as_csv(SURVEY).splitlines(keepends=True), ""]
    ),
    "packed in as many parts as are taken": packed(as_csv(SURVEY).encode())
    + packed(b"") * (MOST_MEMBERS - 1),
    "several objects in a line": as_lines(SURVEY).replace(b"}\n", b"}", 9),
}


@pytest.mark.parametrize("what", READ_FOR_THE_SIMULATOR)
def test_rows_for_the_simulator_are_read(what: str) -> None:
    assert served(READ_FOR_THE_SIMULATOR[what]) == SURVEY


def test_row_names_in_front_of_an_empty_last_column_are_no_separator_at_the_end() -> None:
    assert served(one_more(UNNAMED, "17", is_first=True)) == UNNAMED
    assert served(one_more(UNNAMED, "")) == UNNAMED


def test_narrow_floats_are_served_as_the_shortest_text_that_reads_back_the_same() -> None:
    table = pa.Table.from_pylist(SURVEY)
    values = pa.array([2596.43, 0.1, 2000.0, None] * 30, pa.float32())
    found = served(as_arrow(table.set_column(0, "Elevation", values)))
    assert [row["Elevation"] for row in found[:4]] == ["2596.43", "0.1", "2000", ""]


def test_what_was_missing_and_made_floats_by_pandas_is_served_as_the_source_has_it() -> None:
    dirty = changed(SURVEY, 3, Slope="", Soil_Type="")
    assert served(frame(dirty).to_csv(index=False)) == dirty
    assert served(frame(dirty).to_parquet()) == dirty
    assert served(as_parquet(pa.Table.from_pandas(frame(dirty), preserve_index=False))) == dirty


@pytest.mark.parametrize("value", ["2596.43", "NA", "?", "110", "-", "1 234", "12,5", "null"])
def test_dirt_is_served(value: str) -> None:
    dirty = changed(SURVEY, 5, Elevation=value)
    assert served(as_csv(dirty, ";"))[4]["Elevation"] == value


REFUSED_FOR_THE_SIMULATOR = {
    "Kaggle's train.csv": (
        as_csv(with_column(one_hot(SURVEY), "Id", int, is_first=True)),
        "UCI's one-hot form",
    ),
    "UCI's columns with names": (as_csv(one_hot(SURVEY)), "`canopy source fetch`"),
    "UCI's file": (packed(without_names(as_csv(one_hot(SURVEY))).encode()), "UCI's one-hot form"),
    "UCI's columns in Parquet": (as_parquet(one_hot(SURVEY)), "UCI's one-hot form"),
    "no names": (without_names(as_csv(SURVEY)), "has values and no names of columns (2000,51,"),
    "blanks as separators": (as_csv(SURVEY, " "), "has no comma, semicolon, tab or |"),
    "thousands, the English way": (
        as_csv(changed(SURVEY, 7, Elevation="3,072")),
        "row 7 has '3,072' in Elevation, which may be 3072 or 3.072. Write numbers without a mark",
    ),
    "thousands, the Spanish way": (
        as_csv(changed(SURVEY, 120, Elevation="3.072"), ";"),
        "row 120 has '3.072' in Elevation, which may be 3072 or 3.072",
    ),
    "thousands in Parquet": (as_parquet(changed(SURVEY, 2, Slope="1,000")), "row 2 has '1,000' in Slope"),
    "labels from 1": (
        as_csv([{**row, LABEL: str(int(row[LABEL]) + 1)} for row in SURVEY]),
        "its Cover_Type goes to 7, as UCI counts, and the source's is 0 to 6. Subtract 1 from each",
    ),
    "labels from 1 as floats": (
        as_csv([{**row, LABEL: f"{row[LABEL]}.0".replace("0.0", "7.0")} for row in SURVEY]),
        "its Cover_Type goes to 7",
    ),
    "labels from 1 in Parquet": (
        as_parquet([{**row, LABEL: int(row[LABEL]) + 1} for row in SURVEY]),
        "its Cover_Type goes to 7",
    ),
    "Latin-1": (
        as_csv(changed(SURVEY, 4, Soil_Type="Año")).encode("latin-1"),
        "line 5 of it has text that is not UTF-8 (the byte 0xf1",
    ),
    "Latin-1 in a name": (
        as_csv(with_column(SURVEY, "año", str)).encode("latin-1"),
        "line 1 of it has text that is not UTF-8",
    ),
    "Latin-1 in a column that is wanted, last": (
        as_csv(changed(SURVEY, 120, Soil_Type="ñ")).encode("cp1252"),
        "Save it as UTF-8",
    ),
    "UTF-32": (as_csv(SURVEY).encode("utf-32"), "its text is UTF-32. Save it as UTF-8."),
    "half of UTF-16": (as_csv(SURVEY).encode("utf-16")[:-1], "its text is damaged UTF-16"),
    "a workbook": (
        b"PK\x03\x04" + bytes(100),
        "it is a workbook (xlsx, ods) or a zip archive. Save its sheet as CSV",
    ),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + bytes(100), "it is an old workbook (xls)"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), "it is compressed with zstd. Unpack it"),
    "half of a gzip": (packed(as_csv(SURVEY).encode())[:-100], "its gzip ends before it is whole"),
    "a damaged gzip": (b"\x1f\x8b\x08" + b"x" * 100, "its gzip is damaged"),
    "a column is missing": (
        as_csv([{name: row[name] for name in NAMES if name != "Slope"} for row in SURVEY]),
        "it lacks the column slope_deg. There are the columns 'Elevation', 'Aspect'",
    ),
    "a column is there twice": (
        as_csv(with_column(SURVEY, "slope_deg", str)),
        "slope_deg='Slope, slope_deg'; allowed is one such column",
    ),
    "a value too many": (
        as_csv(SURVEY).replace("\n2007,", "\n2007,1,", 1),
        "row 8 has 14 values, and the first line has 13 names",
    ),
    "a line that is cut": (as_csv(SURVEY)[:-20], "row 120 has 9 values, and the first line has 13 names"),
    "a quotation mark that stays open": (
        as_csv(SURVEY).replace("\n2007,", '\n"2007,', 1),
        "it has a quotation mark that opens in line 9 and never closes",
    ),
    **{
        f"ditto marks at place {place}": (as_typed(with_marks(SURVEY, place)), SWALLOWS)
        for place in (0, 5, 12, 13)
    },
    "ditto marks, the lines ended by old Macs": (
        as_typed(with_marks(SURVEY, 13)).replace("\n", "\r"),
        SWALLOWS,
    ),
    "ditto marks beside notes of several lines": (
        as_csv(with_marks(SURVEY[:100], 13, mark="a, b\nc"))
        + as_typed(with_marks(SURVEY, 13)).partition("\n")[2],
        "a quotation mark that opens in line 105 swallows the lines after it",
    ),
    "a value more, and words that are none": (
        one_more(WORDLESS, "seen"),
        "its rows have 14 values, and its first line has 13 names. Write a name for each column.",
    ),
    "a number to the base 16": (
        as_csv([{**row, "Elevation": "0xA28"} for row in SURVEY]),
        "row 1 has '0xA28' in Elevation, a number to the base 16. Write it to the base 10, as 2600.",
    ),
    "a number to the base 16 among others, in Parquet": (
        as_parquet(changed(SURVEY, 7, Slope="0X1f")),
        "row 7 has '0X1f' in Slope, a number to the base 16",
    ),
    **{
        f"labels from 1, and {dirt!r}": (
            as_csv(changed([{**row, LABEL: str(int(row[LABEL]) + 1)} for row in SURVEY], 3, Cover_Type=dirt)),
            "its Cover_Type goes to 7",
        )
        for dirt in ("", "?", "110")
    },
    "gzip within gzip": (packed(packed(as_csv(SURVEY).encode())), "it is gzip within gzip. Unpack it once."),
    "packed in more parts than are taken": (
        packed(as_csv(SURVEY).encode()) + packed(b"") * MOST_MEMBERS,
        "its gzip has over 100,000 parts. Compress it anew, in one.",
    ),
    "zeros and more behind a gzip": (
        packed(as_csv(SURVEY).encode()) + bytes(9) + b"x" * 20,
        "its gzip is damaged",
    ),
    "nothing": (b"", "it is empty"),
    "blanks": (b"  \n\n", "it is empty"),
    "half of a Parquet file": (as_parquet(SURVEY)[:3000], "it is damaged Parquet, or none"),
}


@pytest.mark.parametrize("what", REFUSED_FOR_THE_SIMULATOR)
def test_rows_for_the_simulator_are_refused_with_a_sentence(what: str) -> None:
    content, sentence = REFUSED_FOR_THE_SIMULATOR[what]
    with pytest.raises(Refused) as refused:
        served(content)
    assert sentence in str(refused.value)
    assert str(refused.value).isprintable()


READ_FOR_PREDICTIONS = {
    "columns beside": as_csv(with_column(with_column(CELLS, "Id", int, is_first=True), "cover_type", int)),
    "an index without a name": as_csv(with_column(CELLS, "", int, is_first=True)),
    "an index in Parquet": pd.DataFrame(CELLS).set_index(pd.Index(range(7, 27))).to_parquet(),
    "the source's names": as_csv([dict(zip(NAMES, row.values(), strict=False)) for row in CELLS]),
    "floats": as_csv(CELLS, text=lambda value: f"{value}.0" if isinstance(value, int) else value),
    "floats of three places": as_csv(
        CELLS, text=lambda value: f"{value}.0000" if isinstance(value, int) else value
    ),
    "floats in Parquet": as_parquet([{**row, "elevation_m": float(row["elevation_m"])} for row in CELLS]),
    "decimals in Parquet": as_parquet(
        [{**row, "elevation_m": decimal.Decimal(row["elevation_m"])} for row in CELLS]
    ),
    "text in Parquet": as_parquet([{name: str(value) for name, value in row.items()} for row in CELLS]),
    "semicolons": as_csv(CELLS, ";"),
    "blanks behind the commas": as_csv(CELLS).replace(",", ", "),
    "UTF-16": as_csv(CELLS).encode("utf-16"),
    "quoted": as_csv(CELLS, quoting=csv.QUOTE_ALL),
    "JSON Lines of floats": as_lines([{**row, "elevation_m": float(row["elevation_m"])} for row in CELLS]),
    "JSON Lines of text": as_lines([{name: str(value) for name, value in row.items()} for row in CELLS]),
    "JSON Lines with a mark": b"\xef\xbb\xbf" + as_lines(CELLS),
    "JSON Lines with empty lines": as_lines(CELLS).replace(b"\n", b"\n\n"),
    "JSON Lines with more names": as_lines(with_column(CELLS, "Id", int)),
}


@pytest.mark.parametrize("what", READ_FOR_PREDICTIONS)
def test_rows_for_predictions_are_read(what: str) -> None:
    assert features(READ_FOR_PREDICTIONS[what]) == CELLS


VIEWS = pa.Table.from_pylist(CELLS)
KINDS = {
    "views of strings, as Polars writes them": pa.string_view(),
    "large strings": pa.large_string(),
    "words in a dictionary": pa.dictionary(pa.uint32(), pa.large_string()),
    "views in a dictionary, as Polars writes categories": pa.dictionary(pa.uint32(), pa.string_view()),
    "bytes": pa.binary(),
    "views of bytes": pa.binary_view(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["file", "stream", "lz4", "zstd"])
def test_arrow_is_read_whatever_holds_its_words(kind: str, how: str) -> None:
    table = VIEWS
    for name in ("wilderness_area", "soil_type"):
        column = VIEWS[name].combine_chunks().cast(pa.binary() if kind == "views of bytes" else pa.string())
        place = VIEWS.column_names.index(name)
        table = table.set_column(place, name, column.cast(KINDS[kind]))
    compression = how if how in ("lz4", "zstd") else None
    assert features(as_arrow(table, is_file=how != "stream", compression=compression)) == CELLS


@pytest.mark.timeout(30)
def test_a_name_twice_among_very_many_is_found_at_once() -> None:
    """Each name was looked for among all: a million bytes took over a minute."""
    names = [*range(100_000), 99_999]
    content = "[{" + ", ".join(f'"a{name}": 0' for name in names) + "}]"
    with pytest.raises(ValueError, match="'a99999' is there twice"):
        DECODER.decode(content)


def empty_in(number: int, name: str) -> list[Row]:
    return changed(CELLS, number, **{name: None})


REFUSED_FOR_PREDICTIONS = {
    "an empty cell among whole numbers": (
        as_csv(empty_in(8, "elevation_m")),
        "in row 8, elevation_m is missing",
    ),
    "an empty cell in the first row": (
        as_csv(empty_in(1, "elevation_m")),
        "in row 1, elevation_m is missing",
    ),
    "an empty word": (as_csv(empty_in(20, "soil_type"), ";"), "in row 20, soil_type is missing"),
    "an empty cell in Parquet": (as_parquet(empty_in(8, "slope_deg")), "in row 8, slope_deg is missing"),
    "an empty cell that pandas made floats of": (
        pd.DataFrame(empty_in(8, "slope_deg")).to_csv(index=False),
        "in row 8, slope_deg is missing",
    ),
    "null in JSON": (as_lines(empty_in(8, "slope_deg")), "in row 8, slope_deg is missing"),
    "a name that a line of JSON lacks": (
        as_lines([*CELLS[:7], {**dict(list(CELLS[7].items())[1:])}]),
        "in row 8, elevation_m is missing",
    ),
    "NA": (
        as_csv(changed(CELLS, 8, elevation_m="NA")),
        "in row 8, elevation_m='NA'; allowed is integer from",
    ),
    "NaN in Parquet": (
        as_parquet(
            [{**row, "slope_deg": math.nan if place == 7 else 3.0} for place, row in enumerate(CELLS)]
        ),
        "in row 8, slope_deg='NaN'",
    ),
    "NaN in JSON": (as_lines(changed(CELLS, 8, slope_deg=math.nan)), "in row 8, slope_deg='NaN'"),
    "Infinity in JSON": (as_lines(changed(CELLS, 2, slope_deg=math.inf)), "in row 2, slope_deg='inf'"),
    "a fraction": (
        as_csv(changed(CELLS, 3, slope_deg="3.5")),
        "in row 3, slope_deg='3.5'; allowed is integer from 0",
    ),
    "a fraction in Parquet": (
        as_parquet([{**row, "slope_deg": 3.5} for row in CELLS]),
        "in row 1, slope_deg=3.5; allowed is integer from 0",
    ),
    "a fraction with a comma": (as_csv(changed(CELLS, 3, slope_deg="3,5"), ";"), "in row 3, slope_deg='3,5'"),
    "a number that may be two": (
        as_csv(changed(CELLS, 3, elevation_m="3.072"), ";"),
        "without a mark between its digits, for this may be 3072 or 3.072",
    ),
    "too much": (
        as_csv(changed(CELLS, 3, slope_deg="110,0"), ";"),
        "in row 3, slope_deg='110,0'; allowed is",
    ),
    "truths": (as_lines(changed(CELLS, 3, slope_deg=True)), "in row 3, slope_deg='true'"),
    "dates": (
        as_parquet(VIEWS.set_column(0, "elevation_m", pa.array([0] * 20, pa.timestamp("s")))),
        "elevation_m='timestamp[",
    ),
    "lists in JSON": (
        as_lines(CELLS[:1]) + b"[1, 2]\n",
        "row 2 is no object with names: [1, 2]. Write each row",
    ),
    "a list of numbers": (b"[1]", "row 1 is no object with names: 1"),
    "a text": (b'["abc"]', 'row 1 is no object with names: "abc"'),
    "half of JSON": (as_lines(CELLS)[:-9], "row 20 is not JSON"),
    "a name twice in JSON": (b'{"slope_deg": 1, "slope_deg": 2}\n', "the name 'slope_deg' is there twice"),
    "more beside rows": (b'{"rows": [], "model": 1}', "it has 'model' beside rows"),
    "a value more, and words that are none": (
        one_more([{**row, "wilderness_area": "?", "soil_type": "?"} for row in CELLS], "seen"),
        "its rows have 13 values, and its first line has 12 names",
    ),
    "a stream that is cut between two pieces": (
        as_arrow(CELLS)[:-8],
        "it ends before its end mark, as one that was cut",
    ),
    "two streams in one": (as_arrow(CELLS) * 2, "it goes on behind its end mark, as two in one"),
    "two streams in one, and zeros between them": (
        as_arrow(CELLS) + bytes(10_000) + as_arrow(CELLS),
        "it goes on behind its end mark, as two in one",
    ),
    "two Arrow files in one": (
        as_arrow(CELLS, is_file=True) * 2,
        "its footer lists 3 of its 6 pieces of rows. Write it anew.",
    ),
    "two Parquet files in one": (as_parquet(CELLS) * 2, "it goes on behind its end mark, as two in one"),
    "fewer rows in a group's footer than it has": (
        group_of(as_parquet(CELLS), 8),
        "its footer tells of 8 rows where a column has 20 values",
    ),
    "fewer rows in a file's footer than it has": (
        in_all(as_parquet(CELLS), 8),
        "it tells of 8 rows, and has 20",
    ),
    **{
        f"a number to the base 16, in {name}": (
            write([{**row, "elevation_m": "0xA28"} for row in CELLS]),
            "in row 1, elevation_m='0xA28'",
        )
        for name, write in {"CSV": as_csv, "Parquet": as_parquet, "JSON": as_lines, "Arrow": as_arrow}.items()
    },
    "a fraction in JSON that a float has no room for": (
        as_lines(CELLS).replace(b"2002,", b"2002.99999999999999999,"),
        "in row 3, elevation_m='2002.99999999999999999'",
    ),
    "next to nothing in JSON": (
        as_lines(CELLS).replace(b'"slope_deg": 3', b'"slope_deg": 1e-99999999999999999999', 1),
        "in row 1, slope_deg='1e-99999999999999999999'",
    ),
    "GeoJSON": (
        b'{"type": "FeatureCollection", "features": []}',
        "There are the columns 'type', 'features'.",
    ),
    "an error in place of rows": (b'{"detail": "Not found"}', "There are the columns 'detail'."),
    "columns apart from rows, as pandas has it": (
        pd.DataFrame(CELLS).to_json(orient="split"),
        "There are the columns 'columns', 'index', 'data'.",
    ),
    "two lists, one behind the other": (b"[] []", "it goes on behind its end: []"),
    "no rows but blanks": (as_csv(CELLS).partition("\n")[0] + "\n   ", "it has 0 rows"),
    "no rows": (as_csv(CELLS).partition("\n")[0], "it has 0 rows"),
    "no rows in JSON": (b"[]", "it has 0 rows"),
}


@pytest.mark.parametrize("what", REFUSED_FOR_PREDICTIONS)
def test_rows_for_predictions_are_refused_with_row_column_and_value(what: str) -> None:
    content, sentence = REFUSED_FOR_PREDICTIONS[what]
    with pytest.raises(Refused) as refused:
        features(content)
    assert sentence in str(refused.value)


def test_rows_are_counted_through_all_pieces_of_a_file() -> None:
    many = cells(40_000)
    for content in (
        as_csv(changed(many, 39_999, slope_deg="x")),
        as_parquet(changed(many, 39_999, slope_deg=None)),
        as_lines(changed(many, 39_999, slope_deg="x")),
    ):
        with pytest.raises(Refused, match="in row 39999, slope_deg"):
            features(content)


def test_columns_beside_keep_what_a_person_wrote() -> None:
    rows = with_column(with_column(CELLS, "plot", lambda place: f"00{place}"), "notes", lambda _: 'a "b", c')
    table = read(as_csv(rows, ";"))
    assert table.column_names == list(rows[0])
    assert table["plot"].to_pylist() == [f"00{place}" for place in range(20)]
    assert set(table["notes"].to_pylist()) == {'a "b", c'}
    named = read(as_lines(with_column(CELLS, "plot", int)))
    assert named["plot"].to_pylist() == [str(place) for place in range(20)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("place", [0, 5, 12])
def test_honest_notes_of_several_lines_stay_as_they_are(place: int, end: str) -> None:
    note = f'wet, cold,{end}a 5" "pine",{end}  {end}{end}of 3, 4, or more'
    rows = with_marks(CELLS, place, mark=note)
    for content in (as_csv(rows, end=end), as_csv(rows, end=end, quoting=csv.QUOTE_ALL) + "  "):
        assert read(content)["note"].to_pylist() == [row["note"] for row in rows]


@pytest.mark.parametrize(
    "names",
    [
        ["x.14", "x", "x"],
        ["x", "x", "x.13"],
        ["", "Unnamed: 12", "Unnamed: 12"],
        ["x", "x.13.14", "x", "x.13", "x"],
    ],
)
def test_columns_of_one_name_are_all_kept(names: list[str]) -> None:
    values = "ABCDE"[: len(names)]
    first, *lines = as_csv(CELLS).splitlines()
    table = read("\n".join([f"{first},{','.join(names)}", *(f"{line},{','.join(values)}" for line in lines)]))
    made = table.column_names[12:]
    assert len(set(made)) == len(names)
    assert "".join(table[name][0].as_py() for name in made) == values
    assert all(name in made for name in names if name)


@pytest.mark.parametrize("kind", [pa.decimal128(5, -1), pa.decimal64(5, -1), pa.decimal256(5, -1)])
def test_decimals_of_tens_are_read(kind: pa.DataType) -> None:
    tens = pa.array([decimal.Decimal("2.60E+3")] * len(CELLS), kind)
    content = as_arrow(pa.Table.from_pylist(CELLS).set_column(0, "elevation_m", tens))
    assert {row["elevation_m"] for row in features(content)} == {2600}
    content = as_arrow(pa.Table.from_pylist(SURVEY[:20]).set_column(0, "Elevation", tens))
    assert {row["Elevation"] for row in served(content)} == {"2600"}


@pytest.mark.parametrize("rows", [1, 3, 20])
def test_a_stream_may_end_as_older_libraries_end_one(rows: int) -> None:
    whole = as_arrow(CELLS[:rows])[:-8]
    assert features(whole + bytes(4)) == CELLS[:rows]
    with pytest.raises(Refused, match="it ends before its end mark"):
        features(whole)


def test_a_stream_without_rows_has_an_end_too() -> None:
    empty = pa.Table.from_pylist(CELLS).slice(0, 0)
    with pytest.raises(Refused, match="it has 0 rows"):
        features(as_arrow(empty))
    with pytest.raises(Refused, match="it ends before its end mark"):
        features(as_arrow(empty)[:-8])


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        (as_lines(CELLS), CSV, f"it is JSON. Send it with Content-Type: {JSON_LINES}."),
        (b"[\n" + as_lines(CELLS[:1]) + b"]", CSV, f"it is JSON. Send it with Content-Type: {JSON_LINES}."),
        (as_csv(CELLS), JSON_LINES, f"it is CSV. Send it with Content-Type: {CSV}."),
        (as_parquet(CELLS), CSV, f"it is Parquet. Send it with Content-Type: {PARQUET}."),
    ],
)
def test_what_is_sent_as_another_kind_is_named(content: bytes | str, kind: str, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        read(content, "write_codes", kind=kind)
    assert str(refused.value) == sentence


def test_a_name_may_begin_with_a_bracket() -> None:
    content = as_csv(with_column(CELLS, "[id]", str, is_first=True)).encode()
    reader = TableReader(CONTRACT.features, Bounds(rows=99, bytes=2**20))
    assert reader.read(content, CSV, lambda pieces: sum(piece.num_rows for piece in pieces)) == len(CELLS)


KINDS_BY_CONTENT = {
    "CSV": (as_csv(CELLS).encode(), CSV),
    "a list": (b" [\n", JSON_LINES),
    "JSON Lines": (as_lines(CELLS), JSON_LINES),
    "Parquet": (as_parquet(CELLS), PARQUET),
    "an Arrow file": (as_arrow(CELLS, is_file=True), ARROW),
    "an Arrow stream": (as_arrow(CELLS), ARROW),
    "JSON in UTF-16": (as_lines(CELLS).decode().encode("utf-16"), JSON_LINES),
    "CSV in UTF-16 without a mark": (as_csv(CELLS).encode("utf-16-be"), CSV),
    "nothing": (b"", None),
}


@pytest.mark.parametrize("what", KINDS_BY_CONTENT)
def test_what_a_content_is_shows_in_its_first_bytes_packed_or_not(what: str) -> None:
    content, kind = KINDS_BY_CONTENT[what]
    assert kind_of_content(content[:999]) == kind
    assert kind_of_content(packed(content)[:999]) == kind
    assert kind_of_content(b"\x1f\x8b" + content[:99]) is None


def test_more_columns_rows_or_bytes_than_are_taken_are_refused() -> None:
    wide = [{**row, **{f"c{number}": number for number in range(100)}} for row in CELLS]
    for content in (as_csv(wide), as_parquet(wide), as_lines(wide)):
        with pytest.raises(Refused, match="it has 112 columns, and at most 100 are taken"):
            features(content)
    with pytest.raises(Refused, match="it has more than 19 rows"):
        features(as_csv(CELLS), rows=19)
    with pytest.raises(Refused, match="unpacked it has over 1000 bytes"):
        features(packed(as_csv(CELLS).encode()), bytes=1000)


def test_the_sentences_of_the_documentation_are_those_that_are_said() -> None:
    page = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
    table = page.partition("| The sentence | What to do |")[2].partition("\n\n")[0]
    shown = re.findall(r"^\| `([^`]+)` \|", table, re.M)
    said = [_said(served, content) for content, _ in REFUSED_FOR_THE_SIMULATOR.values()]
    said += [_said(features, content) for content, _ in REFUSED_FOR_PREDICTIONS.values()]
    said += [_said(features, as_csv([{**row, **dict.fromkeys(map(str, range(100)))} for row in CELLS]))]
    said += [_said(partial(features, rows=19), as_csv(CELLS))]
    said += [_said(partial(features, bytes=1000), packed(as_csv(CELLS).encode()))]
    assert len(shown) > 25
    assert [sentence for sentence in shown if not any(sentence in one for one in said)] == []


def _said(read_it: Callable[..., object], content: bytes | str) -> str:
    with pytest.raises(Refused) as refused:
        read_it(content)
    return str(refused.value)


# What the files of the report come to; all others in `awkward` and `fail` are read.
SENTENCES = {
    "awkward/cells_one_empty.csv": "in row 8, elevation_m is missing",
    "awkward/rows_kaggle_id_onehot.csv": "UCI's one-hot form",
    "fail/cells_na.csv": "in row 8, elevation_m='NA'",
    "fail/cells_one_empty_ints.csv": "in row 8, elevation_m is missing",
    "fail/rows_ints.json": "row 1 is no object with names: 1",
    "fail/rows_lists.json": "row 1 is no object with names: [3125, 90, 0",
    "fail/rows_nan.json": "in row 1, elevation_m='NaN'",
}
FOUND = sorted(
    path.relative_to(CASES).as_posix()
    for path in CASES.glob("*/*")
    if path.name.lower().startswith(("cells", "row")) and "." in path.name
)


@pytest.mark.skipif(not FOUND, reason="the cases are not beside this checkout")
def test_the_files_of_the_report_are_read_or_refused() -> None:
    said = {}
    for name in FOUND:
        content = (CASES / name).read_bytes()
        try:
            is_survey = Path(name).name.lower().startswith("rows") and not name.endswith(".json")
            assert served(content) if is_survey else features(content)
        except Refused as refused:
            said[name] = str(refused)
    assert said.keys() == SENTENCES.keys()
    assert [name for name, sentence in SENTENCES.items() if sentence not in said[name]] == []
