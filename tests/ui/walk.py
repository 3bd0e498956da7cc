"""A newcomer's walk, step by step: overview, quality, model, a prediction, a file, its lineage, a query."""

from __future__ import annotations

from playwright.sync_api import expect

from contracts.covertype import covertype
from tests.ui.browser import Watched, finish, go_to, settle
from ui.reading.cells import example_cell


def see_the_pipeline(watched: Watched, name: str) -> None:
    """The way from source to champion."""
    page, texts = watched.page, watched.texts
    expect(page.get_by_text(texts("stage.unit.bronze"), exact=True)).to_be_visible()
    expect(page.get_by_text(texts("stage.state.unavailable"))).to_have_count(0)
    expect(page.get_by_role("heading", name=texts("pipeline.links"))).to_be_visible()
    finish(watched, f"pipeline-{name}")


def look_at_quality(watched: Watched, name: str) -> None:
    """What passed, and how far the landings drift."""
    page, texts = watched.page, watched.texts
    go_to(watched, "quality")
    drawn = page.get_by_role("img").filter(has_text=texts("column.slope_deg"))
    expect(drawn).to_be_visible()
    finish(watched, f"quality-{name}")
    page.get_by_role("radio", name=texts("quality.by_values")).click()
    expect(drawn).to_be_visible()
    expect(drawn.filter(has_text=texts("column.soil_type"))).to_have_count(0)


def read_the_model(watched: Watched, name: str) -> None:
    """The champion's scores, and what the gate said."""
    page, texts = watched.page, watched.texts
    go_to(watched, "models")
    expect(page.get_by_text(texts("models.macro_f1"), exact=True).first).to_be_visible()
    expect(page.locator(".confusion tbody tr")).to_have_count(len(covertype().class_names))
    expect(page.locator(".gate li").first).to_be_visible()
    finish(watched, f"models-{name}")


def predict_a_cell(watched: Watched, name: str) -> None:
    """By form: who answered, how sure, and what would change it."""
    page, texts = watched.page, watched.texts
    go_to(watched, "predict")
    expect(page.get_by_role("spinbutton", name=texts("column.elevation_m"))).to_have_value("2596")
    page.get_by_role("button", name=texts("predict.submit")).click()
    expect(page.get_by_text("canopy-covertype")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    finish(watched, f"predict-{name}")


def predict_a_file(watched: Watched, name: str) -> None:
    """By file: a look at it, the answers, and the download."""
    page, texts = watched.page, watched.texts
    page.get_by_role("tab", name=texts("predict.a_file")).click()
    cell = example_cell().features
    line = ",".join(str(value) for value in cell.values())
    content = "\n".join([",".join(cell), *[line] * 1200]) + "\n"
    page.locator("input[type=file]").set_input_files(
        {"name": "cells.csv", "mimeType": "text/csv", "buffer": content.encode()}
    )
    page.get_by_role("button", name=texts("file.predict", rows=1200)).click()
    expect(page.get_by_role("button", name=texts("lake.take_csv"))).to_be_visible()
    finish(watched, f"file-{name}")
    with page.expect_download() as taken:
        page.get_by_role("button", name=texts("lake.take_csv")).click()
    lines = taken.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1201
    assert lines[0].endswith("predicted_cover_type,probability,flags,model_version,request_id")


def follow_it_back(watched: Watched, name: str) -> None:
    """From the answers of the file to the bytes of a response."""
    page, texts = watched.page, watched.texts
    page.get_by_role("link", name=texts("predict.to_lineage")).last.click()
    expect(page.get_by_role("heading", name=texts("lineage.title"), level=1)).to_be_visible()
    expect(page.get_by_role("heading", name=texts("lineage.model"))).to_be_visible()
    page.locator(".st-key-landings a").first.click()
    expect(page.get_by_text("sha256")).to_be_visible()
    settle(page)
    finish(watched, f"lineage-{name}")


def ask_the_lake(watched: Watched, name: str) -> None:
    """A query, as a table and as a chart."""
    page, texts = watched.page, watched.texts
    go_to(watched, "lake")
    box = page.get_by_role("textbox", name="SQL")
    box.fill("select cover_type, count(*) as cells from gold.training_set group by cover_type order by all")
    page.get_by_role("button", name=texts("lake.run"), exact=True).click()
    expect(page.get_by_role("button", name=texts("lake.take_csv"))).to_be_visible()
    page.get_by_role("tab", name=texts("lake.as_chart")).click()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(1)
    finish(watched, f"lake-{name}")


WALK = (
    see_the_pipeline,
    look_at_quality,
    read_the_model,
    predict_a_cell,
    predict_a_file,
    follow_it_back,
    ask_the_lake,
)


def walk(watched: Watched, name: str) -> None:
    """All of it, with a picture of each step."""
    for step in WALK:
        step(watched, name)
