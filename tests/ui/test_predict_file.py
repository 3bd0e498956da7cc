"""A person's rows with their answers beside them."""

import io

import pandas as pd

from clients.predictions import AnsweredFile
from ui.reading.cell_file import read_cells
from ui.reading.cells import example_cell
from ui.views.predict_file import ANSWERS, answer_names, with_answers

ANSWERED = pd.DataFrame(
    {"cover_type_name": ["Aspen"] * 2, "probability": [0.5] * 2, "flags": [["slope_deg:rare"], []]}
)


def answered(own: dict[str, list[str]]) -> pd.DataFrame:
    """Two cells with columns of their own, and what was answered."""
    rows = pd.DataFrame([dict(example_cell().features)] * 2).assign(**own)  # type: ignore[arg-type]
    file = read_cells("cells.csv", rows.to_csv(index=False).encode())
    part = AnsweredFile(ANSWERED.to_parquet(), "4", "asked-now")
    return with_answers(file, [part], answer_names(file.frame.columns))


def test_answers_stand_behind_the_rows() -> None:
    table = answered({"plot": ["a", "b"]})
    assert list(table.columns)[-6:] == ["plot", *ANSWERS]
    assert table["flags"].tolist() == ["slope_deg:rare", ""]


def test_last_weeks_answers_are_kept_beside_todays() -> None:
    own = {name: ["mine", "mine too"] for name in ANSWERS}
    table = answered(own)
    assert {name: table[name].tolist() for name in ANSWERS} == own
    assert list(table.columns)[-5:] == [f"{name}_2" for name in ANSWERS]
    assert table["predicted_cover_type_2"].tolist() == ["Aspen", "Aspen"]
    assert table["request_id_2"].tolist() == ["asked-now", "asked-now"]
    sink = io.BytesIO(table.to_parquet())
    assert pd.read_parquet(sink)["probability"].tolist() == ["mine", "mine too"]


def test_names_that_differ_in_capitals_or_are_numbered_already_are_taken() -> None:
    names = answer_names(["Probability", "flags", "flags_2"])
    assert names == {name: name for name in ANSWERS} | {"probability": "probability_2", "flags": "flags_3"}
