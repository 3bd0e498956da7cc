"""What the front door asks Airflow's REST API: runs, tasks, and to start one now."""

from __future__ import annotations

from typing import Any

import httpx

from clients.airflow_runs import Run, run_of
from contracts.errors import ServiceUnavailable


class AirflowApi:
    """A signed-in client; the token is fetched at the first call and again when it runs out."""

    def __init__(self, url: str, username: str, password: str, *, timeout_s: float = 60) -> None:
        # A busy machine was seen to take more than ten seconds; a part that has died refuses at once.
        self._client = httpx.Client(base_url=url, timeout=timeout_s)
        self._credentials = {"username": username, "password": password}
        self._token: str | None = None

    def close(self) -> None:
        """Lets go of the connection."""
        self._client.close()

    def runs(self, dag: str, limit: int = 50) -> list[Run]:
        """The newest runs of a DAG, newest first; empty if Airflow does not know it yet."""
        found = self._ask("GET", f"/api/v2/dags/{dag}/dagRuns?limit={limit}&order_by=-run_after")
        return [run_of(dag, run) for run in found.get("dag_runs", [])]

    def import_errors(self, limit: int = 20) -> list[tuple[str, str]]:
        """Files of DAGs that cannot be read, each with the trace that says why."""
        found = self._ask("GET", f"/api/v2/importErrors?limit={limit}")
        return [(error["filename"], error["stack_trace"]) for error in found.get("import_errors", [])]

    def running_tasks(self, run: Run) -> list[str]:
        """The tasks of a run that are at work now, by their ids."""
        path = f"/api/v2/dags/{run.dag}/dagRuns/{run.run_id}/taskInstances?state=running&state=deferred"
        return [task["task_id"] for task in self._ask("GET", path).get("task_instances", [])]

    def failed_tasks(self, run: Run) -> list[str]:
        """The tasks of a run that failed, by their ids."""
        path = f"/api/v2/dags/{run.dag}/dagRuns/{run.run_id}/taskInstances?state=failed"
        return [task["task_id"] for task in self._ask("GET", path).get("task_instances", [])]

    def trigger(self, dag: str, **params: Any) -> str:
        """Starts a run now.

        Returns: Its run id.
        """
        answer = self._ask("POST", f"/api/v2/dags/{dag}/dagRuns", {"conf": params, "logical_date": None})
        return str(answer["dag_run_id"])

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self._send(method, path, body)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._token = None
            response = self._send(method, path, body)
        if method == "GET" and response.status_code == httpx.codes.NOT_FOUND:
            return {}
        if response.is_error:
            raise ServiceUnavailable("Airflow", str(self._client.base_url), response.text[:300])
        answer: dict[str, Any] = response.json()
        return answer

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            if self._token is None:
                answer = self._client.post("/auth/token", json=self._credentials)
                self._token = answer.raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {self._token}"}
            return self._client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise ServiceUnavailable("Airflow", str(self._client.base_url), str(error)) from error
