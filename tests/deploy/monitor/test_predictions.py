"""What the prediction service says of itself: no model, a refused version, errors, what is lost or waits."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.monitor.predictions import PredictionsCheck
from serving.http.metrics import Metrics
from tests.deploy.monitor.looking import NOW, Pages, monitor_settings, pages, trips
from tests.serving.registry import answers, free_port, process, wait_until
from tests.serving.services import paths_in

LATER = NOW + timedelta(seconds=30)
AFTER = NOW + timedelta(minutes=16)


class Service:
    """The service's own metrics, and what it says of being ready."""

    def __init__(self, url: str, found: Pages, folder: Path) -> None:
        self.metrics = Metrics()
        self._found = found
        self.look = PredictionsCheck(monitor_settings(folder, serving_url=url, spool_bytes=1_000))
        self.says(200)

    def says(self, status: int, **fields: Any) -> None:
        """Answers like this from now on."""
        self._found["/ready"] = status, json.dumps(fields).encode()
        self._found["/metrics"] = 200, self.metrics.page()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    found: Pages = {}
    with pages(found) as url:
        yield Service(url, found, tmp_path)


@pytest.mark.long
def test_a_service_without_a_model_is_told(tmp_path: Path) -> None:
    """On the real service; its registry is away."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = {f"SERVING_{key.upper()}": str(path) for key, path in paths_in(tmp_path).items()}
    environment |= {"SERVING_PORT": url.rpartition(":")[2], "TRAINING_MLFLOW_URL": "http://127.0.0.1:9"}
    look = PredictionsCheck(monitor_settings(tmp_path, serving_url=url))
    with process([sys.executable, "-m", "serving"], tmp_path / "serving.log", environment):
        wait_until(lambda: answers(f"{url}/live"), 60)
        (found,) = trips(look, "NoChampion")
    assert "No prediction can be made" in found.text
    away = look.check(NOW)
    assert away.findings == ()
    assert away.undecided == set(look.kinds)


def test_lost_predictions_are_told_for_a_while_and_earlier_ones_are_not(service: Service) -> None:
    service.metrics.lost.inc(5)
    service.says(200)
    assert trips(service.look, "PredictionsLost") == []
    service.metrics.lost.inc(3)
    service.says(200)
    (found,) = trips(service.look, "PredictionsLost", LATER)
    assert found.text.startswith("3 predictions")
    service.metrics.lost.inc(1)
    service.says(200)
    (found,) = trips(service.look, "PredictionsLost", LATER)
    assert found.text.startswith("4 predictions")
    assert trips(service.look, "PredictionsLost", AFTER) == []


def test_what_a_service_lost_since_it_was_started_again_is_told(service: Service) -> None:
    service.metrics.lost.inc(5)
    service.says(200)
    trips(service.look, "PredictionsLost")
    service.metrics = Metrics()
    service.metrics.lost.inc(2)
    service.says(200)
    (found,) = trips(service.look, "PredictionsLost", LATER)
    assert found.text.startswith("2 predictions")


def test_a_refused_version_is_told(service: Service) -> None:
    trips(service.look, "ModelRefused")
    service.metrics.refusals.labels("champion").inc()
    service.says(200)
    assert len(trips(service.look, "ModelRefused", LATER)) == 1


@pytest.mark.parametrize(
    ("status", "errors", "is_told"), [("500", 5, True), ("500", 4, False), ("503", 50, False)]
)
def test_errors_are_told_but_neither_single_ones_nor_a_missing_model(
    service: Service, status: str, errors: int, is_told: bool
) -> None:
    trips(service.look, "PredictionsFail")
    service.metrics.requests.labels("/v1/predictions", "200").inc(100)
    service.metrics.requests.labels("/v1/predictions", status).inc(errors)
    service.says(200)
    assert bool(trips(service.look, "PredictionsFail", LATER)) is is_told


def test_predictions_that_do_not_get_to_the_lake_are_told(service: Service) -> None:
    service.says(200, log_problem="predictions wait in /spool: the store is away")
    (found,) = trips(service.look, "PredictionsWaiting")
    assert "the store is away" in found.text
    service.metrics.spool_bytes.set(2_000)
    service.says(200, log_problem=None)
    (found,) = trips(service.look, "PredictionsWaiting", LATER)
    assert "2,000 bytes" in found.text
    service.metrics.spool_bytes.set(1_000)
    service.says(200, log_problem=None)
    assert trips(service.look, "PredictionsWaiting", LATER) == []
