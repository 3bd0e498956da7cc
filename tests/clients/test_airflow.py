"""A run that is started in Airflow while its database fails: it begins once, or the person is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from clients import airflow
from clients.airflow import AirflowApi
from contracts.errors import ServiceUnavailable, SignInRefused

LOCKED = (500, {"reason": "Database error", "statement": "hidden", "orig_error": "hidden"}, False)


class Airflow(ThreadingHTTPServer):
    """Answers as Airflow does: by what a test says, and 409 to a run that is there.

    Attributes:
        answers: For one request each: the status, what it says, and whether the run is made all the same.
        runs: The ids of those that were made.
        asked: How many requests came.
    """

    def __init__(self, *answers: tuple[int, dict[str, str], bool]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.runs, self.asked = list(answers), list[str](), 0

    def begin(self, run_id: str) -> tuple[int, dict[str, str]]:
        """The answer to one request for a run."""
        self.asked += 1
        if run_id in self.runs:
            return 409, {"detail": "The resource already exists"}
        status, said, is_made = self.answers.pop(0) if self.answers else (200, {"dag_run_id": run_id}, True)
        if is_made:
            self.runs.append(run_id)
        return status, said


class Handler(BaseHTTPRequestHandler):
    """Gives the server's answers."""

    server: Airflow

    def do_POST(self) -> None:
        """Begins a run."""
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, said = self.server.begin(body["dag_run_id"])
        answer = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    monkeypatch.setattr(airflow, "RETRY_AFTER_S", tuple(0.01 for _ in airflow.RETRY_AFTER_S))
    with Airflow(*request.param) as found:
        Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def trigger(server: Airflow) -> str:
    return AirflowApi(f"http://127.0.0.1:{server.server_port}", token="signed-in").trigger("collect")


@pytest.mark.parametrize(
    "server",
    [(), (LOCKED,), (LOCKED, LOCKED), ((500, {}, True),), (LOCKED, (503, {}, True))],
    indirect=True,
    ids=["well", "once", "twice", "made and lost", "made at the second"],
)
def test_a_run_begins_once_whatever_its_database_does(server: Airflow) -> None:
    assert [trigger(server)] == server.runs
    other = trigger(server)
    assert len(server.runs) == len({*server.runs}) == 2
    assert server.runs[1] == other


@pytest.mark.parametrize(
    ("server", "asked"),
    [((LOCKED,) * 9, len(airflow.RETRY_AFTER_S) + 1), (((404, {"detail": "no such DAG"}, False),), 1)],
    indirect=["server"],
    ids=["it stays away", "no such DAG"],
)
def test_what_does_not_begin_is_said(server: Airflow, asked: int) -> None:
    with pytest.raises(ServiceUnavailable, match=r"Database error|no such DAG"):
        trigger(server)
    assert (server.asked, server.runs) == (asked, [])


@pytest.mark.parametrize("server", [((401, {}, False),), ((403, {}, False),)], indirect=True)
def test_who_may_not_is_told_at_once(server: Airflow) -> None:
    with pytest.raises(SignInRefused):
        trigger(server)
    assert (server.asked, server.runs) == (1, [])
