"""A real browser on the UI: its pages, what goes wrong on them, their pictures, and what axe-core says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

from tests.ui.parts import ROOT
from ui.language import Texts

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
PAGES = ("pipeline", "quality", "models", "predict", "lineage", "lake")
PATIENCE_MS = 60_000
SERIOUS = ("serious", "critical")
# Streamlit asks below the page's own path where its server is, and then below the root: by design.
PROBES = ("/_stcore/health", "/_stcore/host-config")


@dataclass
class Watched:
    """A page and what went wrong on it."""

    page: Page
    texts: Texts
    wrong: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, or a failure that says how to get one."""
    if shutil.which(CHROMIUM) is None:
        pytest.fail(
            f"This test opens the UI in a real browser, and there is none at {CHROMIUM}. "
            "Install it: apt-get install --no-install-recommends chromium fonts-dejavu"
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def open_page(browser: Browser, url: str, width: int, scheme: str, texts: Texts) -> Watched:
    """The first page, in a browser of this width and scheme."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        locale=texts.language,
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    watched = Watched(context.new_page(), texts)
    page, wrong = watched.page, watched.wrong
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("request", lambda request: wrong.append(request.url) if is_abroad(request.url, url) else None)
    page.on("response", lambda response: wrong.append(response.url) if is_failed(response) else None)
    page.goto(url)
    expect(page.get_by_role("heading", name=texts("pipeline.title"))).to_be_visible()
    return watched


def go_to(watched: Watched, name: str) -> None:
    """Another page, by the navigation that a reader uses."""
    page, texts = watched.page, watched.texts
    links = page.locator(".st-key-pages a") if is_narrow(page) else page.get_by_test_id("stSidebarNavLink")
    links.filter(has_text=texts(f"page.{name}")).click()
    expect(page.get_by_role("heading", name=texts(f"{name}.title"), level=1)).to_be_visible()


def finish(watched: Watched, name: str) -> None:
    """Takes a picture of the whole page, and checks that nothing is wrong, out of sight or hard to read."""
    page = watched.page
    settle(page)
    height, overflow = page.get_by_test_id("stMain").evaluate(
        "main => [main.scrollHeight, main.scrollWidth - main.clientWidth]"
    )
    viewport = page.viewport_size or {"width": 1280, "height": 900}
    page.set_viewport_size({"width": viewport["width"], "height": max(900, height)})
    settle(page)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
    found = violations(page)
    page.set_viewport_size(viewport)
    assert overflow <= 0, f"{name} is {overflow} px wider than the screen"
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert not found, "\n".join(found)
    assert not watched.wrong, "\n".join(watched.wrong)


def settle(page: Page) -> None:
    """Waits until the page has come to rest: no run, nothing of the page before, no chart still to be drawn.

    Streamlit shows that it runs only after a while, and pales what it has not renewed yet: its own word on
    the state of the script counts. What is live is looked at again all the time, and stays readable then.
    """
    for unfinished in ("stStatusWidget", "stSkeleton"):
        expect(page.get_by_test_id(unfinished)).to_have_count(0)
    page.wait_for_function(
        """() => document.querySelector("[data-test-script-state=notRunning]")
            && ![...document.querySelectorAll("[data-stale=true]")]
                .some(element => !element.closest("[class*=st-key-live_]"))
            && !document.getAnimations().some(animation =>
                animation instanceof CSSTransition && animation.playState === "running")
            && [...document.querySelectorAll("[data-testid=stVegaLiteChart]")]
                .every(chart => chart.querySelector("canvas, svg"))"""
    )


def violations(page: Page) -> list[str]:
    """What axe-core finds serious or critical."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{item['id']}: {node['target']} {node.get('failureSummary', '')}"
        for item in found
        if item["impact"] in SERIOUS
        for node in item["nodes"]
    ]


def is_narrow(page: Page) -> bool:
    """Whether Streamlit hides the sidebar, and the page has links instead."""
    return (page.viewport_size or {"width": 0})["width"] < 768


def is_abroad(address: str, url: str) -> bool:
    """Whether a request leaves the UI's own server."""
    return not address.startswith((url, url.replace("http", "ws"), "data:", "blob:"))


def is_failed(response: Response) -> bool:
    """Whether an answer is an error that is not Streamlit's own probing."""
    return response.status >= 400 and not response.url.endswith(PROBES)
