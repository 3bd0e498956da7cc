"""A newcomer's walk in a real browser: wide and light in English, narrow and dark in Spanish."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

from tests.ui.conftest import Environment
from tests.ui.parts import ROOT, streamlit
from ui.language import Texts, texts_of

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = ROOT / "artifacts" / "ui"
PAGES = ("pipeline", "model", "predict")
PATIENCE_MS = 60_000
# Streamlit asks below the page's own path where its server is, and then below the root: by design.
PROBES = ("/_stcore/health", "/_stcore/host-config")


@dataclass
class Watched:
    """A page and what went wrong on it."""

    page: Page
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        pytest.fail(
            f"This test opens the UI in a real browser, and there is none at {CHROMIUM}. "
            "Install it: apt-get install --no-install-recommends chromium fonts-dejavu"
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def url_up(up: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with streamlit(up, tmp_path_factory.mktemp("streamlit")) as url:
        yield url


@pytest.fixture(scope="module")
def url_away(away: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with streamlit(away, tmp_path_factory.mktemp("streamlit")) as url:
        yield url


@pytest.mark.parametrize(("width", "scheme", "language"), [(1280, "light", "en"), (390, "dark", "es")])
def test_a_newcomer_gets_from_the_pipeline_to_a_prediction(
    browser: Browser, url_up: str, width: int, scheme: str, language: str
) -> None:
    texts = texts_of(language)
    watched = open_page(browser, url_up, width, scheme, texts)
    page = watched.page
    expect(page.get_by_text(texts("stage.unit.bronze"), exact=True)).to_be_visible()
    expect(page.get_by_text(texts.number(5600), exact=True)).to_be_visible()
    finish(watched, f"pipeline-{width}-{scheme}")

    go_to(page, texts, "model")
    expect(page.get_by_text(texts("model.champion", version="3"))).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    finish(watched, f"model-{width}-{scheme}")

    go_to(page, texts, "predict")
    expect(page.get_by_role("spinbutton", name=texts("column.elevation_m"))).to_have_value("2596")
    page.get_by_role("button", name=texts("predict.submit")).click()
    expect(page.get_by_text("canopy-covertype")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(1)
    finish(watched, f"predict-{width}-{scheme}")


def test_with_everything_away_each_page_is_whole(browser: Browser, url_away: str) -> None:
    texts = texts_of("en")
    watched = open_page(browser, url_away, 1280, "dark", texts)
    for name in PAGES:
        go_to(watched.page, texts, name)
        expect(
            watched.page.get_by_text(texts("away.serving.what"))
            .or_(watched.page.get_by_text(texts("away.mlflow.what")))
            .first
        ).to_be_visible()
        finish(watched, f"away-{name}-1280-dark")


def open_page(browser: Browser, url: str, width: int, scheme: str, texts: Texts) -> Watched:
    """The first page, in a browser of this width and scheme."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        locale=texts.language,
    )
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    watched = Watched(context.new_page())
    page, wrong = watched.page, watched.wrong
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("request", lambda request: wrong.append(request.url) if is_abroad(request.url, url) else None)
    page.on("response", lambda response: wrong.append(response.url) if is_failed(response) else None)
    page.goto(url)
    expect(page.get_by_role("heading", name=texts("pipeline.title"))).to_be_visible()
    return watched


def go_to(page: Page, texts: Texts, name: str) -> None:
    """Another page, by the navigation that a reader uses."""
    links = page.locator(".st-key-pages a") if is_narrow(page) else page.get_by_test_id("stSidebarNavLink")
    links.filter(has_text=texts(f"page.{name}")).click()
    expect(page.get_by_role("heading", name=texts(f"{name}.title"))).to_be_visible()


def is_narrow(page: Page) -> bool:
    """Whether Streamlit hides the sidebar, and the page has links instead."""
    return (page.viewport_size or {"width": 0})["width"] < 768


def is_abroad(address: str, url: str) -> bool:
    """Whether a request leaves the UI's own server."""
    return not address.startswith((url, url.replace("http", "ws"), "data:", "blob:"))


def is_failed(response: Response) -> bool:
    """Whether an answer is an error that is not Streamlit's own probing."""
    return response.status >= 400 and not response.url.endswith(PROBES)


def finish(watched: Watched, name: str) -> None:
    """Takes a picture of the whole page, and checks that nothing went wrong or out of sight."""
    page = watched.page
    for unfinished in ("stStatusWidget", "stSkeleton"):
        expect(page.get_by_test_id(unfinished)).to_have_count(0)
    height, overflow = page.get_by_test_id("stMain").evaluate(
        "main => [main.scrollHeight, main.scrollWidth - main.clientWidth]"
    )
    viewport = page.viewport_size or {"width": 1280, "height": 900}
    page.set_viewport_size({"width": viewport["width"], "height": max(900, height)})
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
    page.set_viewport_size(viewport)
    assert overflow <= 0, f"{name} is {overflow} px wider than the screen"
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert watched.wrong == []
