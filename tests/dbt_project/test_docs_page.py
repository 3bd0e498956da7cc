"""The dbt docs site, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from pipeline.dbt import build_docs
from tests.dbt_project.conftest import Grown

pytestmark = pytest.mark.long

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def site(grown: Grown, tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_docs(grown.lake, tmp_path_factory.mktemp("site"), state=grown.state).as_uri()


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def test_it_opens_on_the_lineage(site: str, page: Page, tmp_path: Path) -> None:
    page.goto(site)
    expect(page.get_by_text("Lineage Graph").first).to_be_visible(timeout=60_000)
    expect(page.locator("canvas").first).to_be_visible(timeout=60_000)
    page.screenshot(path=tmp_path / "lineage.png")


def test_a_link_to_a_table_opens_that_table(site: str, page: Page) -> None:
    page.goto(f"{site}#!/model/model.canopy.training_set")
    expect(page.get_by_role("heading", name="training_set").first).to_be_visible(timeout=60_000)
    expect(page.locator("canvas").first).not_to_be_visible()
