"""Airflow's REST API: the DAGs' runs, files that it cannot read, and to start a run now."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from clients.calls import ask, ask_json, json_of, understood
from contracts.errors import ServiceUnavailable, SettingsInvalid, SignInRefused
from contracts.plain_files import read_plain

PART = "Airflow"
# In the order of the pipeline.
DAGS = ("collect", "refine", "train", "maintain")
NOT_SIGNED_IN = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
# A busy machine was seen to take more than ten seconds; a service that has died refuses at once.
PATIENCE_S = 60.0
# Its database may be locked for a moment, as SQLite is while others write: it answers 500 then.
RETRY_AFTER_S = (1.0, 4.0)


@dataclass(frozen=True)
class Run:
    """One run of a DAG, or that there was none yet.

    Attributes:
        dag: Its name.
        state: In Airflow's words: `queued`, `running`, `success` or `failed`; None if the DAG never ran.
        started_at: UTC, or None while it waits.
        ended_at: UTC, or None while it runs.
        run_id: As Airflow names it; empty if the DAG never ran.
    """

    dag: str
    state: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    run_id: str = ""

    @property
    def is_over(self) -> bool:
        """Returns whether it will not change any more."""
        return self.state in ("success", "failed")

    @property
    def duration_s(self) -> float | None:
        """Returns how long it took; None while it runs."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


class AirflowApi:
    """Asks with a token; without one it signs in at the first call, and again when that sign-in runs out."""

    def __init__(
        self,
        url: str,
        username: str = "",
        password: str = "",
        *,
        token: str | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> None:
        self._url, self._timeout_s = url.rstrip("/"), timeout_s
        self._account = None if token else (username, password)
        self._token = token

    def is_answering(self) -> bool:
        """Returns whether Airflow is up; needs no sign-in. Raises: ServiceUnavailable if not."""
        ask_json(PART, "GET", f"{self._url}/api/v2/monitor/health", timeout_s=self._timeout_s)
        return True

    def runs(self, dag: str, limit: int = 50) -> list[Run]:
        """Returns the newest runs of a DAG, newest first; empty if Airflow has not read its file yet."""
        path = f"/api/v2/dags/{dag}/dagRuns?limit={limit}&order_by=-run_after"
        return [_run(dag, fields) for fields in self._list(path, "dag_runs")]

    def import_errors(self, limit: int = 20) -> list[tuple[str, str]]:
        """Returns files of DAGs that cannot be read, each with the trace that says why."""
        found = self._list(f"/api/v2/importErrors?limit={limit}", "import_errors")
        return [(str(error["filename"]), str(error["stack_trace"])) for error in found]

    def tasks(self, run: Run, *states: str) -> list[str]:
        """Returns the tasks of a run that are in one of these states, by their ids."""
        path = f"/api/v2/dags/{run.dag}/dagRuns/{run.run_id}/taskInstances?"
        found = self._list(path + "&".join(f"state={state}" for state in states), "task_instances")
        return [str(task["task_id"]) for task in found]

    def running_tasks(self, run: Run) -> list[str]:
        """Returns the tasks of a run that are at work now, by their ids."""
        return self.tasks(run, "running", "deferred")

    def failed_tasks(self, run: Run) -> list[str]:
        """Returns the tasks of a run that failed, by their ids."""
        return self.tasks(run, "failed")

    def trigger(self, dag: str, **params: Any) -> str:
        """Starts a run now; asks again where Airflow's database failed.

        The run is named here, so that no second one begins where the first was made and its answer lost.

        Returns: Its run id.
        Raises: SignInRefused; ServiceUnavailable if Airflow does not answer, or does not start it.
        """
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{secrets.token_hex(4)}"
        path = f"/api/v2/dags/{dag}/dagRuns"
        body = {"dag_run_id": run_id, "conf": params, "logical_date": None}
        response = self._answer("POST", path, body)
        for wait_s in RETRY_AFTER_S:
            if not response.is_server_error:
                break
            time.sleep(wait_s)
            response = self._answer("POST", path, body)
            if response.status_code == httpx.codes.CONFLICT:  # it was made, and then the database failed
                return run_id
        self._require_success(response)
        return run_id

    def _list(self, path: str, name: str) -> list[Mapping[str, Any]]:
        """Returns a list out of an answer; empty where Airflow knows nothing of what is asked for."""
        response = self._ask(path)
        if response.status_code == httpx.codes.NOT_FOUND:
            return []
        with understood(PART, response):
            return list(json_of(PART, response)[name])

    def _ask(self, path: str) -> httpx.Response:
        """Returns the answer to a GET. Raises: SignInRefused; ServiceUnavailable, but not where nothing is
        there."""
        response = self._answer("GET", path)
        if response.status_code != httpx.codes.NOT_FOUND:
            self._require_success(response)
        return response

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        response = self._send(method, path, body)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._account:
            self._token = None
            response = self._send(method, path, body)
        return response

    def _require_success(self, response: httpx.Response) -> None:
        if response.status_code in NOT_SIGNED_IN:
            raise SignInRefused(PART, self._url, response.status_code)
        if not response.is_success:
            reason = f"it answered {response.status_code}: {response.text[:200]}"
            raise ServiceUnavailable(PART, self._url, reason)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        if self._token is None and self._account:
            self._token = sign_in(self._url, *self._account, timeout_s=self._timeout_s)
        headers = {"Authorization": f"Bearer {self._token}"}
        url = self._url + path
        return ask(PART, method, url, timeout_s=self._timeout_s, json=body, headers=headers)


def sign_in(url: str, username: str, password: str, *, timeout_s: float = PATIENCE_S) -> str:
    """Signs an account in.

    Returns: A token.
    Raises: SignInRefused; ServiceUnavailable if Airflow does not answer.
    """
    body = {"username": username, "password": password}
    response = ask(PART, "POST", f"{url.rstrip('/')}/auth/token", timeout_s=timeout_s, json=body)
    if response.status_code in NOT_SIGNED_IN:
        raise SignInRefused(PART, url, response.status_code)
    if not response.is_success:
        raise ServiceUnavailable(PART, url, f"it answered {response.status_code}")
    with understood(PART, response):
        return str(json_of(PART, response)["access_token"])


def password_in(file: Path | None, username: str, setting: str) -> str:
    """Reads a user's password from a JSON object of user to password; an empty one if there is no file.

    Raises: SettingsInvalid, naming the setting, if it is not in there.
    """
    if file is None:
        return ""
    try:
        return str(json.loads(read_plain(file))[username])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        remedy = f"It holds no password for {username!r}: a JSON object of user to password."
        raise SettingsInvalid(setting, str(file), remedy) from error


def _run(dag: str, fields: Mapping[str, Any]) -> Run:
    began, ended = _time(fields.get("start_date")), _time(fields.get("end_date"))
    return Run(dag, str(fields["state"]), began, ended, str(fields["dag_run_id"]))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
