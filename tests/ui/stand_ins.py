"""MLflow and Airflow as the UI sees them: the few paths it asks, answered as the real ones answer.

The real ones take 1.5 GB and over half a minute to start; `tests/journey` meets them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from contracts.covertype import covertype
from training.fit.baselines import Baseline
from training.judge.calibration import Bin, Calibration
from training.judge.criterion import Criterion, at_least, at_most
from training.judge.evaluation import AreaScore, Evaluation
from training.judge.leak import RandomSplitScores
from training.judge.scores import ClassScore, Interval, Scores
from training.report.runs import _score_sheet

NAME = "canopy-covertype"
PASSWORDS = {"admin": "a password"}
TOKEN = "a token"
# By version: macro-F1, its interval, accuracy.
SCORES = {1: (0.742, 0.713, 0.768, 0.881), 2: (0.816, 0.792, 0.838, 0.912), 3: (0.861, 0.841, 0.879, 0.934)}
RECALLS = (0.93, 0.95, 0.92, 0.71, 0.74, 0.83, 0.94)
ROWS = np.array([2300, 3100, 390, 30, 105, 190, 225])
MATRIX = np.rint(np.diag(ROWS * np.array(RECALLS)) + np.outer(ROWS, np.full(7, 0.01))).astype(np.int64)

CRITERIA: list[Criterion] = [
    at_least("macro_f1", 0.02, 0.0, "better beyond chance: macro-F1 +0.02 [+0.01, +0.03]"),
    at_most("size", 120.0, 100.0, "120 MB, at most 100 are allowed"),
]


@contextmanager
def registry(*, versions: int = 3, snapshot_id: int = 14) -> Iterator[str]:
    """MLflow with this many versions of the model; without any, the model is not registered.

    Args:
        versions: How many; the last one is the champion.
        snapshot_id: What they learned from.
    """
    with _listening(_Registry(versions, snapshot_id)) as url:
        yield url


@contextmanager
def scheduler(part: Scheduler | None = None) -> Iterator[str]:
    """Airflow at some address."""
    with _listening(part or Scheduler()) as url:
        yield url


class _Registry:
    def __init__(self, versions: int, snapshot_id: int) -> None:
        self._versions = [_version(number, snapshot_id) for number in range(versions, 0, -1)]
        self._artefacts = _artefacts() if versions else {}

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> Any:
        if not self._versions:
            missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Model {NAME} not found"}
            return 404, missing
        answers = {
            "/api/2.0/mlflow/registered-models/get": self._model,
            "/api/2.0/mlflow/model-versions/search": lambda _: {"model_versions": self._versions},
            "/api/2.0/mlflow/model-versions/get": self._one_version,
            "/get-artifact": lambda query: self._artefacts.get(query["path"]),
        }
        found = answers[path](query) if path in answers else None
        return (200, found) if found is not None else (404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})

    def _model(self, query: dict[str, str]) -> Any:
        newest = len(self._versions)
        aliases = [{"alias": "champion", "version": str(newest)}]
        if newest > 1:
            aliases.append({"alias": "previous", "version": str(newest - 1)})
        return {"registered_model": {"name": query["name"], "aliases": aliases}}

    def _one_version(self, query: dict[str, str]) -> Any:
        number = int(query["version"])
        return {"model_version": self._versions[-number]} if number <= len(self._versions) else None


class Scheduler:
    """Airflow in the middle of a day: one DAG runs, one failed, one never ran."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.run_ids: list[str] = []

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> Any:
        if path == "/api/v2/monitor/health":
            return 200, {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "healthy"}}
        if path == "/auth/token":
            sent = json.loads(body)
            is_right = PASSWORDS.get(sent["username"]) == sent["password"]
            return (201, {"access_token": TOKEN}) if is_right else (401, {"detail": "Invalid credentials"})
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"detail": "Not authenticated"}
        if method == "POST":
            self.started.append(path.split("/")[4])
            self.run_ids.append(json.loads(body)["dag_run_id"])  # by whoever starts it
            return 200, {"dag_run_id": self.run_ids[-1], "state": "queued"}
        runs = {name: [run] for name, run in _runs().items()}
        return 200, {"dag_runs": runs.get(path.split("/")[4], []), "total_entries": 1}


def _version(number: int, snapshot_id: int) -> dict[str, Any]:
    macro_f1, low, high, accuracy = SCORES[number]
    tags = {
        "snapshot_id": snapshot_id,
        "publication_id": number,
        "contract_version": covertype().version,
        "code_revision": "4c32c1a9d0b3f5e2a7c8",
        "macro_f1": macro_f1,
        "naive_macro_f1": 0.912345,
        "macro_f1_low": low,
        "macro_f1_high": high,
        "accuracy": accuracy,
        "train_rows": 533 * number + 1,
        "test_rows": 133 * number + 1,
        "verdict": "promoted",
        "verdict_reason": "better than before beyond chance" if number > 1 else "the first one",
        "gate": json.dumps([asdict(item) for item in CRITERIA]),
    }
    created_at = datetime.now(UTC) - timedelta(minutes=7 * (4 - number))
    return {
        "name": NAME,
        "version": str(number),
        "creation_timestamp": int(created_at.timestamp() * 1000),
        "run_id": f"{number:032x}",
        "status": "READY",
        "source": f"models:/m-{number:032x}",
        "tags": [{"key": key, "value": str(value)} for key, value in tags.items()],
    }


def _artefacts() -> dict[str, bytes]:
    """What a run logs, as training writes it."""
    interval = Interval(*SCORES[3][:3])
    classes = [
        ClassScore(name, 100, Interval(recall, recall - 0.06, recall + 0.04))
        for name, recall in zip(covertype().class_names, RECALLS, strict=True)
    ]
    scores = Scores(interval, Interval(0.934, 0.93, 0.938), 0.2, tuple(classes), MATRIX, ())
    sure = [Bin(40, 0.55 + 0.04 * place, Interval(0.5 + 0.05 * place, 0.4, 1.0)) for place in range(10)]
    evaluation = Evaluation(
        scores=scores,
        areas=(AreaScore("Rawah", 120, interval, interval),),
        calibration=Calibration(0.02, 0.06, tuple(sure)),
        baselines=(Baseline("majority_class", Interval(0.09, 0.08, 0.1), Interval(0.4, 0.38, 0.42)),),
        naive=RandomSplitScores(Interval(0.912, 0.9, 0.92), interval, 2000, 1234),
    )
    losses = {
        "features": [
            {"feature": column.name, "loss": 0.3 / place, "low": 0.29 / place, "high": 0.31 / place}
            for place, column in enumerate(covertype().features, start=1)
        ]
    }
    return {
        "scores.json": json.dumps(_score_sheet(evaluation)).encode(),
        "importance.json": json.dumps(losses).encode(),
        "model_card.md": b"# Model card\n\n![a picture](reliability.png)\n\nIts limits.\n",
        "model_card.html": b"<!doctype html><title>Model card</title>",
    }


def _runs() -> dict[str, dict[str, Any]]:
    now = datetime.now(UTC)

    def run(state: str, started_s: float, duration_s: float | None) -> dict[str, Any]:
        started = now - timedelta(seconds=started_s)
        ended = None if duration_s is None else (started + timedelta(seconds=duration_s)).isoformat()
        moments = {"start_date": started.isoformat(), "end_date": ended}
        return {"dag_run_id": f"scheduled__{started:%H%M%S}", "state": state, **moments}

    return {
        "collect": run("success", 140, 2.4),
        "refine": run("running", 12, None),
        "train": run("failed", 900, 95),
    }


@contextmanager
def _listening(part: Any) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._send(*part.answer(self.command, address.path, query, self.headers, body))

        do_POST = do_GET  # noqa: N815

        def _send(self, status: int, answer: Any) -> None:
            is_picture = isinstance(answer, bytes)
            content = answer if is_picture else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "image/png" if is_picture else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
