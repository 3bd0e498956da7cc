"""The documentation's site: whole, made from the code, and readable in a real browser without a network."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from canopy.site.references import command_reference, error_reference, setting_reference
from contracts.errors import CanopyError, PagesBroken
from deploy.access.server import bounded_server
from deploy.settings_classes import meanings, own_fields, setting_names, settings_classes
from deploy.site import build
from deploy.site.build import are_current, build_pages
from deploy.site.serve import create_app
from tests.attacks.hosts import running
from tests.docs.pages import PAGES, ROOT, page_id
from tests.docs.test_commands import _leaves
from tests.ui.browser import CHROMIUM, FLAGS

SHOWN = ("", "es/", "architecture/", "operations/", "reference/commands/", "reference/settings/", "model/")
PICTURES = ROOT / "artifacts" / "docs"
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?([^\"' >]+)")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does it; mkdocs is strict and refuses to warn."""
    folder = tmp_path_factory.mktemp("site") / "pages"
    build_pages(folder)
    return folder


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the other two sites come to be."""
    return tmp_path_factory.mktemp("beside")


@pytest.fixture(scope="module")
def url(pages: Path, beside: Path) -> Iterator[str]:
    app = create_app(pages, beside / "dbt", beside / "audits")
    with running(bounded_server(app, "127.0.0.1", 0)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert shutil.which(CHROMIUM), "Install it: apt-get install --no-install-recommends chromium fonts-dejavu"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_page_of_the_repository_is_a_page_of_the_site(pages: Path, page: Path) -> None:
    name = {"README.md": "", "README.es.md": "es"}.get(page_id(page))
    if name is None:
        name = (
            page_id(page)
            .removeprefix("docs/")
            .removesuffix(".md")
            .removesuffix("README")
            .removesuffix("index")
        )
    title = re.findall(r"^# (.+)", page.read_text(), re.M)[0]
    text = re.sub(r"<[^>]+>|&para;", "", (pages / name / "index.html").read_text()).replace("&#39;", "'")
    assert title.replace("`", "") in text


def test_no_page_loads_anything_from_elsewhere(pages: Path) -> None:
    found = {
        target
        for page in pages.rglob("*.html")
        for target in LOADED.findall(page.read_text())
        if re.match(r"(?:https?:)?//", target)
    }
    assert found == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), pytest.param(390, "dark", marks=pytest.mark.longest)]
)
def test_pages_are_readable_in_a_browser(browser: Browser, url: str, width: int, scheme: str) -> None:
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("request", lambda request: _note_stranger(wrong, request.url, url))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        for name in SHOWN:
            page.goto(f"{url}/{name}", wait_until="networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            _expect_diagrams(page)
            _expect_no_barrier(page)
            _keep(page, f"{name.strip('/').replace('/', '-') or 'home'}-{scheme}-{width}")
        assert wrong == []


def test_the_search_finds_a_setting(browser: Browser, url: str) -> None:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(url, wait_until="networkidle")
        page.get_by_role("textbox", name="Search").fill("SOURCE_PACE_S")
        page.get_by_role("link", name=re.compile("Settings")).first.wait_for(timeout=20_000)


def test_what_is_beside_the_pages_is_served_once_it_is_there(beside: Path, url: str) -> None:
    for name, remedy in (("dbt", "canopy lake docs"), ("audits", "canopy refine")):
        absent = httpx.get(f"{url}/{name}/")
        assert (absent.status_code, remedy in absent.text) == (404, True)
        folder = beside / name
        folder.mkdir()
        (folder / "index.html").write_text(f"<p>{name} is here")
        assert httpx.get(f"{url}/{name}", follow_redirects=True).text == f"<p>{name} is here"
    assert httpx.get(f"{url}/live").status_code == 200


@pytest.mark.parametrize(
    "path", ["/dbt/../../pages/index.html", "/%2e%2e/%2e%2e/etc/passwd", "/assets/", "/no"]
)
def test_nothing_else_is_served(url: str, path: str) -> None:
    assert httpx.get(f"{url}{path}").status_code == 404
    assert httpx.post(url).status_code == 405


def test_pages_are_built_again_once_what_they_are_made_from_has_changed(pages: Path) -> None:
    assert are_current(pages)
    assert not are_current(pages / "nothing")
    readme = ROOT / "README.md"
    times = readme.stat()
    try:
        readme.touch()
        assert not are_current(pages)
    finally:
        os.utime(readme, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_broken_page_is_named_and_the_old_ones_stay(
    pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = shutil.ignore_patterns(".*", "artifacts", "__pycache__", "target")
    project = shutil.copytree(ROOT, tmp_path / "project", ignore=away)
    shutil.copyfile(ROOT / ".env.example", project / ".env.example")
    (project / "docs" / "start.md").write_text("# Start\n\n[nowhere](architecture.md#no-such-heading)\n")
    monkeypatch.setattr(build, "PROJECT", project)
    kept = shutil.copytree(pages, tmp_path / "pages")
    with pytest.raises(PagesBroken, match="no-such-heading"):
        build_pages(kept)
    assert (kept / "index.html").exists()
    assert [file.name for file in tmp_path.glob(".pages*")] == []


def test_the_reference_has_every_command_with_an_example_that_can_be_typed() -> None:
    text = command_reference()
    sections = dict(re.findall(r"^## (canopy[^\n]*)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert {f"canopy {leaf}" for leaf in _leaves()} <= set(sections)
    for leaf in _leaves():
        assert f"\ncanopy {leaf}" in sections[f"canopy {leaf}"], f"canopy {leaf} has no example"
    assert "`--requarantine` | Judge quarantined rows again" in text


def test_the_reference_has_every_setting_and_says_what_it_means() -> None:
    text = setting_reference()
    for name in setting_names():
        assert f"| `{name}` | " in text
    for settings in settings_classes():
        assert set(meanings(settings)) == set(own_fields(settings)), settings.__name__


def test_the_reference_has_every_error_under_its_status() -> None:
    text, waiting = error_reference(), [*CanopyError.__subclasses__()]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        assert f"| {kind.exit_status} | `{kind.__name__}` |" in text


def _note_stranger(wrong: list[str], asked: str, url: str) -> None:
    if not asked.startswith((url, "data:", "blob:")):
        wrong.append(asked)


def _expect_diagrams(page: Page) -> None:
    """Each diagram is drawn, in a closed shadow root of the theme's: only its size can be seen."""
    page.wait_for_function("!document.querySelector('pre.mermaid')")
    for diagram in page.locator("div.mermaid").all():
        box = diagram.bounding_box()
        assert box is not None
        assert box["height"] > 40


def _expect_no_barrier(page: Page) -> None:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ] == []


def _keep(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
