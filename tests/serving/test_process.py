"""The service as its own process, over the network, while the champion changes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx

from serving.settings import ServingSettings
from tests.serving.onnx_models import answers, random_rows
from tests.serving.registry import TestRegistry, wait_until
from tests.serving.services import bearer, running

CALLERS = 4
SWAPS = 6
REQUESTS_AT_LEAST = 400
ROWS = random_rows(20, seed=11)


def test_no_reply_fails_or_lies_while_the_champion_changes(
    registry: TestRegistry, settings: ServingSettings, models: dict[str, Path], tmp_path: Path
) -> None:
    name = settings.model_name
    truth = {
        registry.register(name, models["plain"]): answers(str(models["plain"]), ROWS),
        registry.register(name, models["shifted"]): answers(str(models["shifted"]), ROWS),
    }
    registry.promote(name, "1")
    with running(tmp_path, registry.url, name) as (url, service):
        key = bearer(tmp_path / "predict.key")
        wrong, versions, counts = _load_while_swapping(url, key, registry, name, truth)
        service.terminate()
        assert service.wait(15) in (0, -15)
    assert wrong == []
    assert versions == set(truth)
    assert sum(counts) >= REQUESTS_AT_LEAST
    assert "Traceback" not in (tmp_path / "serving.log").read_text()


def _load_while_swapping(
    url: str, key: dict[str, str], registry: TestRegistry, name: str, truth: dict[str, list[int]]
) -> tuple[list[str], set[str], list[int]]:
    done = threading.Event()
    wrong: list[str] = []
    versions: set[str] = set()
    counts = [0] * CALLERS

    def call(position: int) -> None:
        with httpx.Client(base_url=url, timeout=30, headers=key) as client:
            while not done.is_set():
                i = counts[position] % len(ROWS)
                counts[position] += 1
                reply = client.post("/v1/predictions", json=ROWS[i])
                body = reply.json()
                version = body["model"]["version"] if reply.is_success else "none"
                versions.add(version)
                if not reply.is_success or body["predictions"][0]["cover_type"] != truth[version][i]:
                    wrong.append(reply.text)

    callers = [threading.Thread(target=call, args=(position,)) for position in range(CALLERS)]
    for caller in callers:
        caller.start()
    for swap in range(SWAPS):
        wanted = "12"[swap % 2 == 0]
        registry.promote(name, wanted)
        wait_until(
            lambda wanted=wanted: httpx.get(f"{url}/v1/model", headers=key).json()["version"] == wanted
        )  # type: ignore[misc]
    wait_until(lambda: sum(counts) >= REQUESTS_AT_LEAST)
    time.sleep(0.1)
    done.set()
    for caller in callers:
        caller.join()
    return wrong, versions, counts
