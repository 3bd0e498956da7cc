"""Runs that failed, and DAGs that Airflow cannot read: by its REST API, with an account that only reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import httpx

from clients.airflow import DAGS, AirflowApi, Run, password_in
from contracts.errors import ServiceUnavailable
from deploy.monitor.check import CheckResult, Figure, Finding, check_result
from deploy.monitor.settings import MonitorSettings

TIMEOUT_S = 10.0


class RunsCheck:
    """A DAG is well again with the next run of it that succeeds."""

    name, kinds = "runs", ("RunFailed", "DagBroken")

    def __init__(self, settings: MonitorSettings) -> None:
        self._settings = settings
        self._api: AirflowApi | None = None

    def check(self, _now: datetime) -> CheckResult:
        """See `Check`. Raises: ServiceUnavailable, SettingsInvalid."""
        if self._settings.airflow_password_file is None:
            return check_result([], [], self.kinds)
        try:
            api = self._signed_in()
            failed = {dag: run for dag in DAGS if (run := _newest(api, dag)) and run.state == "failed"}
            findings = [*self._failed(api, failed), *_broken(api.import_errors())]
        except ServiceUnavailable as error:
            self._api = None  # the password may be another one by now
            if isinstance(error.__cause__, httpx.TransportError):
                return check_result([], [], self.kinds)  # it is away, which another check tells
            raise
        figures = [Figure("canopy_failed_runs", 1, (dag,)) for dag in failed]
        return check_result(findings, figures)

    def _signed_in(self) -> AirflowApi:
        if self._api is None:
            user, file = self._settings.airflow_username, self._settings.airflow_password_file
            password = password_in(file, user, "UI_AIRFLOW_PASSWORD_FILE")
            self._api = AirflowApi(self._settings.airflow_url, user, password, timeout_s=TIMEOUT_S)
        return self._api

    def _failed(self, api: AirflowApi, runs: dict[str, Run]) -> Iterator[Finding]:
        for dag, run in runs.items():
            tasks = ", ".join(api.failed_tasks(run)) or "no task of it"
            page = f"{self._settings.airflow_url}/dags/{dag}/runs/{run.run_id}"
            text = f"Run {run.run_id} of {dag} failed in {tasks}. Its log: {page}"
            yield Finding("RunFailed", dag, text)


def _newest(api: AirflowApi, dag: str) -> Run | None:
    """Returns the newest run of a DAG that is over."""
    return next((run for run in api.runs(dag, limit=10) if run.is_over), None)


def _broken(errors: list[tuple[str, str]]) -> Iterator[Finding]:
    for file, trace in errors:
        last = (trace.strip().splitlines() or ["no reason"])[-1]
        yield Finding("DagBroken", file, f"Airflow cannot read {file}: {last}")
