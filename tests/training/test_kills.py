"""Trainings that are killed: who answered goes on answering, and the next training brings it to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.covertype import covertype
from contracts.model_artefact import CHAMPION
from lake.settings import LakeSettings
from tests.training.conftest import small
from training.fit.artefact import reproduces
from training.promote.promotion import promote, resume_promotion
from training.promote.registry import Registry
from training.settings import TrainingSettings
from training.train import train

pytestmark = pytest.mark.long

# Dies before its n-th call that changes something in MLflow; at its end it says how many it has made.
TRAIN = """
import os, signal, sys
import requests
from lake.settings import LakeSettings
from tests.training.conftest import small
from training.promote.promotion import promote, rollback
from training.train import train

calls, last = 0, int(sys.argv[1])
send = requests.Session.send

def counted(self, request, **options):
    global calls
    if request.method != "GET" and not request.url.endswith("/search"):
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
    return send(self, request, **options)

requests.Session.send = counted
settings = small(sys.argv[2], sys.argv[3]).model_copy(update={"leak_meter": False})
lake = LakeSettings(uri=sys.argv[4], catalog=sys.argv[5])
if sys.argv[6] == "train":
    train(settings, lake, force=True)
else:
    rollback(settings)
print(calls)
"""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", ["train", "rollback"])
def test_one_champion_answers_whenever_it_is_killed(
    what: str, mlflow_url: str, lake: LakeSettings, request: pytest.FixtureRequest
) -> None:
    name = f"killed {what}"
    settings = small(mlflow_url, name).model_copy(update={"leak_meter": False, "tolerance": 1.0})
    assert train(settings, lake).promoted
    train(settings, lake, force=True)
    promote(settings, 2)
    code, said = run(what, 0, mlflow_url, name, lake)
    assert code == 0
    calls = int(said)
    kills = min(max(request.config.getoption("--kills") // 6, 1), calls)
    killed = 0
    for number in range(kills):
        call = 1 + number * calls // kills
        code, _ = run(what, call, mlflow_url, name, lake)
        killed += code == -signal.SIGKILL
        one_answers(settings)
        if what == "train":
            train(settings, lake)  # it judges what was registered, and finishes what was decided
            newest = Registry(settings).newest()
            assert newest.tags["verdict"] in ("promoted", "refused")
        else:
            resume_promotion(Registry(settings))
        one_answers(settings)
        registry = Registry(settings)
        assert registry.with_alias("champion").number != registry.with_alias("previous").number
        assert "swap" not in registry.model_tags()
    assert killed == kills


def run(what: str, call: int, url: str, name: str, lake: LakeSettings) -> tuple[int, str]:
    command = [sys.executable, "-c", TRAIN, str(call), url, name, lake.uri, lake.catalog, what]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    return ended.returncode, (ended.stdout.strip().splitlines() or [""])[-1]


def one_answers(settings: TrainingSettings) -> None:
    serving = Registry(settings).with_alias(CHAMPION)
    assert serving is not None
    artefact = Registry(settings).fetch(serving)
    assert reproduces(artefact, artefact.golden, covertype())
