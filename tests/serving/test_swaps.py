"""The service as a process, while the champion changes, a broken one comes and MLflow goes away."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from serving.engine.inference import open_session
from tests.serving.onnx_models import build_model
from tests.serving.product_models import as_requests, survey_rows, write_model
from tests.serving.registry import Door, TestRegistry, wait_until
from tests.serving.services import bearer, running
from training.fit.rows import Rows

pytestmark = pytest.mark.long

CALLERS, SENT = 8, 500
# From so many replies on it is the long form, with 20 swaps.
MANY_REPLIES, SWAPS, SWAPS_OF_MANY = 50_000, 6, 20
# What a version answers to each row: its class, and all shares.
Truth = Sequence[tuple[int, list[float]]]


@dataclass
class Seen:
    """What callers got.

    Attributes:
        replies: By the version that they name.
        wrong: Those that failed, or that are not what that version answers.
    """

    replies: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """All of them."""
        return self.replies.total()


@pytest.fixture(scope="module")
def rows() -> Rows:
    return survey_rows(2_000)


@pytest.fixture(scope="module")
def files(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two forests that never answer alike, and a model that ONNX Runtime answers."""
    folder = tmp_path_factory.mktemp("swapped")
    return {
        "forest": write_model(rows, folder / "forest"),
        "shifted": write_model(rows, folder / "shifted", shift=1),
        "other": build_model(folder / "other" / "model.onnx"),
    }


def truth_of(file: Path, rows: Rows) -> Truth:
    """Asked of ONNX Runtime, without the service."""
    columns = {name: values[:SENT] for name, values in rows.features.items()}
    labels, shares = open_session(file.read_bytes()).run(["label", "probabilities"], columns)
    return list(zip(labels.tolist(), shares.astype(float).round(6).tolist(), strict=True))


@contextmanager
def called(
    url: str, key: dict[str, str], sent: Sequence[Mapping[str, Any]], truth: dict[str, Truth]
) -> Iterator[Seen]:
    """Asks all the time, from several threads, and compares each reply with the version that it names."""
    seen, done = Seen(), threading.Event()

    def call(start: int) -> None:
        with httpx.Client(base_url=url, timeout=30, headers=key) as client:
            i = start
            while not done.is_set():
                i = (i + 1) % len(sent)
                reply = client.post("/v1/predictions", json=sent[i])
                body = reply.json()
                version = body["model"]["version"] if reply.is_success else "none"
                seen.replies[version] += 1
                if not reply.is_success or _answer(body) != truth[version][i]:
                    seen.wrong.append(reply.text)

    callers = [threading.Thread(target=call, args=(start * 7,)) for start in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield seen
    finally:
        done.set()
        for caller in callers:
            caller.join()


def _answer(body: Mapping[str, Any]) -> tuple[int, list[float]]:
    (prediction,) = body["predictions"]
    return prediction["cover_type"], list(prediction["probabilities"].values())


def answering(url: str, key: dict[str, str], version: str) -> Callable[[], bool]:
    """Whether a version answers by now."""
    return lambda: bool(httpx.get(f"{url}/v1/model", headers=key).json()["version"] == version)


def problem(url: str) -> str:
    """Why the alias is not followed, as `/ready` says it."""
    return str(httpx.get(f"{url}/ready").json()["problem"])


def test_no_reply_fails_or_lies_while_the_champion_changes(
    registry: TestRegistry,
    name: str,
    rows: Rows,
    files: dict[str, Path],
    models: dict[str, Path],
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    truth = {registry.register(name, file): truth_of(file, rows) for file in files.values()}
    broken = registry.register(name, models["golden_wrong"])
    other_file = registry.register(name, files["forest"], artefact_sha256="00ff")
    registry.promote(name, "1")
    wanted: int = pytestconfig.getoption("--replies")
    swaps = SWAPS_OF_MANY if wanted >= MANY_REPLIES else SWAPS
    door = Door(registry.url)
    with running(tmp_path, door.url, name) as (url, service):
        key = bearer(tmp_path / "predict.key")
        with called(url, key, as_requests(rows, SENT), truth) as seen:
            for swap in range(1, swaps + 1):
                version = str(1 + swap % len(files))
                if swap == swaps // 3:
                    refuse(registry, name, broken, url, "golden requests differently")
                if swap == swaps // 2:
                    refuse(registry, name, other_file, url, "and 00ff was registered")
                if swap == swaps - 2:
                    door = vanish(door, registry, name, version, url, seen)
                registry.promote(name, version)
                wait_until(answering(url, key, version), 60)
                wait_until(lambda share=swap / swaps: seen.count >= wanted * share, 600)  # type: ignore[misc]
        service.terminate()
        assert service.wait(15) in (0, -15)
    door.shut()
    assert seen.wrong == []
    assert set(seen.replies) == set(truth)
    assert seen.count >= wanted
    assert "Traceback" not in (tmp_path / "serving.log").read_text()


def refuse(registry: TestRegistry, name: str, version: str, url: str, reason: str) -> None:
    """Promotes a version that must not answer, and waits until the service says why it does not."""
    registry.promote(name, version)
    wait_until(lambda: reason in problem(url), 60)


def vanish(door: Door, registry: TestRegistry, name: str, version: str, url: str, seen: Seen) -> Door:
    """Cuts MLflow off; predictions go on. Returns the way to it, open again."""
    door.shut()
    registry.promote(name, version)
    wait_until(lambda: "MLflow" in problem(url), 60)
    before = seen.count
    wait_until(lambda: seen.count > before + 20)
    return door.open_again()


def test_two_workers_share_what_can_be_shared(
    registry: TestRegistry, name: str, rows: Rows, files: dict[str, Path], tmp_path: Path
) -> None:
    truth = {
        registry.register(name, files[kind]): truth_of(files[kind], rows) for kind in ("forest", "shifted")
    }
    registry.promote(name, "1")
    with running(tmp_path, registry.url, name, SERVING_WORKERS="2") as (url, service):
        key = bearer(tmp_path / "predict.key")
        workers = [child for child in psutil.Process(service.pid).children() if _serves(child, url)]
        assert len(workers) == 2
        said = tmp_path / "serving.log"
        wait_until(lambda: said.read_text().count("champion_swapped") == 2, 60)  # each has the model
        with called(url, key, as_requests(rows, SENT), truth) as seen:
            wait_until(lambda: seen.count >= 300)
            registry.promote(name, "2")
            wait_until(lambda: seen.replies["2"] >= 300)
        assert seen.wrong == []
        # Each answered; both count into one number, whoever is asked for it.
        assert all(one.cpu_times().user > 0 for one in workers)
        for _ in range(8):
            time.sleep(0.3)
            assert counted(url) == seen.count


def _serves(process: psutil.Process, url: str) -> bool:
    port = httpx.URL(url).port
    return any(item.laddr.port == port for item in process.net_connections() if item.status == "LISTEN")


def counted(url: str) -> int:
    """Successful predictions as `/metrics` has them."""
    line = 'canopy_requests_total{path="/v1/predictions",status="200"} '
    page = httpx.get(f"{url}/metrics").text
    return int(float(next(item for item in page.splitlines() if item.startswith(line)).removeprefix(line)))
