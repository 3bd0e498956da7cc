"""The UI in a real browser: a newcomer's walk, wide and light in English, narrow and dark in Spanish."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.browser import PAGES, chromium, finish, go_to, open_page
from tests.ui.conftest import Environment
from tests.ui.parts import streamlit
from tests.ui.stand_ins import PASSWORDS
from tests.ui.walk import walk
from ui.language import texts_of

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def url_up(up: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with streamlit(up, tmp_path_factory.mktemp("streamlit")) as url:
        yield url


@pytest.fixture(scope="module")
def url_away(away: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with streamlit(away, tmp_path_factory.mktemp("streamlit")) as url:
        yield url


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [(1280, "light", "en"), pytest.param(390, "dark", "es", marks=pytest.mark.longest)],
)
def test_a_newcomer_gets_from_the_pipeline_to_a_query(
    browser: Browser, url_up: str, width: int, scheme: str, language: str
) -> None:
    walk(open_page(browser, url_up, width, scheme, texts_of(language)), f"{width}-{scheme}-{language}")


def test_a_stage_is_run_by_who_signs_in_and_by_nobody_else(browser: Browser, url_up: str) -> None:
    texts = texts_of("en")
    page = open_page(browser, url_up, 1280, "light", texts).page
    page.get_by_role("button", name=texts("run_now.button", dag="refine")).click()
    person, password = next(iter(PASSWORDS.items()))
    dialog = page.get_by_role("dialog")
    send = dialog.get_by_role("button", name=texts("run_now.sign_in_and_run", dag="refine"))
    dialog.get_by_label(texts("run_now.person"), exact=True).fill(person)
    dialog.get_by_label(texts("run_now.password"), exact=True).fill("another")
    send.click()
    expect(dialog.get_by_text(texts("run_now.wrong"))).to_be_visible()
    dialog.get_by_label(texts("run_now.password"), exact=True).fill(password)
    send.click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text(texts("run_now.signed_in", person=person))).to_be_visible()
    expect(page.get_by_role("link", name="see the run in Airflow")).to_be_visible()
    page.get_by_role("button", name=texts("run_now.sign_out")).click()
    expect(page.get_by_text(texts("run_now.not_signed_in"))).to_be_visible()


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "dark"), pytest.param(390, "light", marks=pytest.mark.longest)]
)
def test_with_everything_away_each_page_is_whole(
    browser: Browser, url_away: str, width: int, scheme: str
) -> None:
    texts = texts_of("en")
    watched = open_page(browser, url_away, width, scheme, texts)
    for name in PAGES:
        go_to(watched, name)
        helps = watched.page.get_by_text(texts("unavailable.published.what"))
        for part in ("serving", "mlflow"):
            helps = helps.or_(watched.page.get_by_text(texts(f"unavailable.{part}.what")))
        expect(helps.first).to_be_visible()
        finish(watched, f"away-{name}-{width}-{scheme}")
