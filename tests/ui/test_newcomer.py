"""A newcomer's walk through the running local stack, in both languages, and each part stopped in turn.

The README's pictures come from here: `--pictures docs/images` writes them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from deploy.secrets import USER, load_secrets
from tests.ui.browser import PAGES, PICTURES, chromium, finish, go_to, open_page
from tests.ui.stack import Stack, running
from tests.ui.walk import walk
from ui.language import LANGUAGES, texts_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

BATCHES = 3
# What the README shows, wide and light, in English.
SHOWN = ("pipeline", "models", "predict", "lineage")
# Which pages notice that a part is away, and by which words; the others have nothing to ask of it.
NOTICED = {
    "serving": {"pipeline": "serving", "predict": "serving"},
    "mlflow": {"pipeline": "mlflow", "models": "mlflow", "lineage": "mlflow"},
    "airflow-api": {"pipeline": "airflow"},
    "source": {},
    "docs": {},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def stack(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("home"), survey, BATCHES) as started:
        yield started


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_newcomer_walks_from_the_overview_to_a_query(
    browser: Browser,
    stack: Stack,
    language: str,
    width: int,
    scheme: str,
    pytestconfig: pytest.Config,
) -> None:
    name = f"stack-{width}-{scheme}-{language}"
    walk(open_page(browser, stack.url, width, scheme, texts_of(language)), name)
    folder = pytestconfig.getoption("--pictures")
    if folder and (width, language) == (1280, "en"):
        for page in SHOWN:
            shutil.copyfile(PICTURES / f"{page}-{name}.png", Path(folder) / f"{page}.png")


def test_a_run_that_a_person_starts_is_airflows_own(browser: Browser, stack: Stack) -> None:
    texts = texts_of("en")
    page = open_page(browser, stack.url, 1280, "light", texts).page
    page.get_by_role("button", name=texts("run_now.button", dag="maintain")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(texts("run_now.person"), exact=True).fill(USER)
    password = load_secrets(stack.settings.folder).airflow_password
    dialog.get_by_label(texts("run_now.password"), exact=True).fill(password)
    dialog.get_by_role("button", name=texts("run_now.sign_in_and_run", dag="maintain")).click()
    expect(page.get_by_role("link", name="see the run in Airflow")).to_be_visible()


@pytest.mark.parametrize("part", NOTICED)
def test_with_one_part_stopped_each_page_says_so_and_stays_usable(
    browser: Browser, stack: Stack, part: str
) -> None:
    texts = texts_of("en")
    stack.stop_part(part)
    try:
        watched = open_page(browser, stack.url, 1280, "light", texts)
        for name in PAGES:
            go_to(watched, name)
            if name in NOTICED[part]:
                key = NOTICED[part][name]
                expect(watched.page.get_by_text(texts(f"unavailable.{key}.what")).first).to_be_visible()
            finish(watched, f"without-{part}-{name}")
    finally:
        stack.start_part(part)
