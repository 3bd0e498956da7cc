"""How long the UI's pages take, in a real browser on the real stack: `python -m bench.ui`.

The local stack runs on a lake of so many landings of 5,810 rows each, written straight into bronze and then
refined. Each page is opened again and again in Chromium, and each interaction made; a measurement ends when
Streamlit's script has ended, nothing is empty any more and every chart is drawn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import socket

from playwright.sync_api import Page, sync_playwright

from bench.lakes import Bronze
from clients.airflow import AirflowApi
from contracts.stack_settings import StackSettings
from deploy.local.environment import address_environment
from deploy.local.launch import bring_up
from deploy.secrets import USER, commands_account, load_secrets
from lake.publish.pointer import latest
from lake.settings import LakeSettings
from pipeline.refine import refine
from ui.reading.prediction import served_model
from ui.settings import UiSettings

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
PARTS = ("source", "airflow", "mlflow", "serving", "ui", "docs", "monitor")
PAGES = ("pipeline", "quality", "models", "predict", "lineage", "lake")
# Built from nothing at once, 10,000 landings take 8.5 GB.
LANDED_AT_ONCE = 1_000
WITHIN_S = 900.0
PATIENCE_MS = 120_000
SETTINGS = {
    "CANOPY_COLLECT_EVERY_S": "86400",
    "SOURCE_REQUESTS_PER_WINDOW": "1",
    # A forest that learns from 465,000 rows in a moment: what is measured is not the model.
    "TRAINING_PARAMETERS": '{"trees": 8}',
    "TRAINING_LEAK_METER": "false",
}
AT_REST = """() =>
    document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
    && document.querySelector('h1')
    && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')
    && [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]
        .filter(chart => chart.offsetParent)  // one behind a tab is not drawn
        .every(chart => chart.querySelector('canvas, svg'))
"""


@dataclass(frozen=True)
class Timed:
    """One thing that a person does, in seconds: the first time, and again."""

    what: str
    first: float
    again: tuple[float, ...]

    @property
    def median(self) -> float:
        """Returns the time of doing it again."""
        return statistics.median(self.again)


def measure(url: str, turns: int) -> list[Timed]:
    """Opens each page and makes each interaction."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en")
        page.set_default_timeout(PATIENCE_MS)
        loads = [_timed(name, [partial(_open, page, url, name)] * (turns + 1)) for name in PAGES]
        found = [*loads, *_interactions(page, url, turns)]
        browser.close()
    return found


def _interactions(page: Page, url: str, turns: int) -> Iterator[Timed]:
    _open(page, url, "quality")
    radios = [page.get_by_role("radio", name=name) for name in ("Values", "Distance (PSI)")]
    yield _timed("quality: drift by values, by distance", _in_turn(page, radios, turns))
    _open(page, url, "predict")
    press = page.get_by_role("button", name="Predict", exact=True)
    yield _timed("predict: a cell, and 41 variations", _in_turn(page, [press], turns))
    _open(page, url, "lineage")
    links = page.locator(".st-key-landings a")
    yield _timed("lineage: open a landing", _in_turn(page, [links.nth(1), links.nth(3)], turns))
    _open(page, url, "lake")
    run = page.get_by_role("button", name="Run", exact=True)
    yield _timed("lake: a query", _in_turn(page, [run], turns))


def _in_turn(page: Page, places: Sequence[object], turns: int) -> list[Callable[[], None]]:
    def click(place: object) -> Callable[[], None]:
        def act() -> None:
            place.click()  # type: ignore[attr-defined]
            page.wait_for_timeout(30)  # the click reaches the server
            page.wait_for_function(AT_REST)

        return act

    return [click(places[turn % len(places)]) for turn in range(turns + 1)]


def _timed(what: str, acts: Sequence[Callable[[], None]]) -> Timed:
    took = []
    for act in acts:
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    _say(f"{what}: {took[0]:.2f} s, then {statistics.median(took[1:]):.2f} s")
    return Timed(what, took[0], tuple(took[1:]))


def _open(page: Page, url: str, name: str) -> None:
    page.goto(url if name == PAGES[0] else f"{url}/{name}", wait_until="commit")
    page.wait_for_function(AT_REST)


@contextmanager
def stack_on(folder: Path, landings: int) -> Iterator[str]:
    """Yields the whole stack on a lake of so many landings, when it has come to rest. Gives the UI's
    address."""
    os.environ.update({"CANOPY_HOME": str(folder), **SETTINGS})
    os.environ.update({f"CANOPY_{part.upper()}_PORT": str(_free_port()) for part in PARTS})
    settings = StackSettings()
    os.environ.update(address_environment(settings))
    lake = LakeSettings()
    grow(lake, folder, landings)
    supervisor = bring_up(settings, say=_say)
    os.environ.update(commands_account(settings.folder))
    try:
        airflow = AirflowApi(
            f"http://127.0.0.1:{settings.airflow_port}", USER, load_secrets(settings.folder).airflow_password
        )
        _until("a champion", lambda: bool(served_model(UiSettings()).version))
        _until("Airflow at rest", lambda: _is_at_rest(airflow))
        yield f"http://127.0.0.1:{settings.ui_port}"
    finally:
        supervisor.stop()


def grow(lake: LakeSettings, folder: Path, landings: int) -> None:
    """Lands and refines as many as are missing."""
    published = latest(lake)
    there = published.landings if published else 0
    if there >= landings:
        return
    bronze = Bronze(lake)
    for start in range(there, landings, LANDED_AT_ONCE):
        bronze.land(range(start, min(landings, start + LANDED_AT_ONCE)))
        refine(lake, state=folder / "dbt")
        _say(f"{min(landings, start + LANDED_AT_ONCE)} landings are refined")


def _is_at_rest(airflow: AirflowApi) -> bool:
    runs = [run for dag in ("collect", "refine", "train") for run in airflow.runs(dag, 5)]
    return bool(runs) and all(run.is_over for run in runs)


def _until(what: str, is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        try:
            if is_done():
                return
        except Exception as error:  # it comes up yet
            last = error
        time.sleep(1)
    raise TimeoutError(f"waited for {what}: {last}")


def _free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def report(sizes: Sequence[int], found: Sequence[Sequence[Timed]]) -> str:
    """Returns the table of docs/benchmarks.md."""
    heads = [f"{size:,} landings: first | median | slowest" for size in sizes]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (1 + 3 * len(sizes)) + "|"]
    for row in zip(*found, strict=True):
        cells = [
            f"{timed.first:.2f} s | **{timed.median:.2f} s** | {max(timed.again):.2f} s" for timed in row
        ]
        lines.append(f"| {row[0].what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landings", type=int, nargs="+", default=[10, 10_000])
    parser.add_argument("--turns", type=int, default=9, help="how often each is done, after the first")
    parser.add_argument(
        "--folder", type=Path, help="keeps the lakes, one folder each; temporary if not given"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = []
        for landings in arguments.landings:
            folder = (arguments.folder or Path(temporary)) / str(landings)
            folder.mkdir(parents=True, exist_ok=True)
            with stack_on(folder, landings) as url:
                found.append(measure(url, arguments.turns))
    sys.stdout.write(report(arguments.landings, found) + "\n")


if __name__ == "__main__":
    main()
