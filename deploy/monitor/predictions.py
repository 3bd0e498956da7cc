"""Watches the prediction service by its metrics and its readiness probe."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.monitor.check import CheckResult, Finding, check_result
from deploy.monitor.settings import MonitorSettings

TIMEOUT_S = 5.0
# One failure of two requests is no share; five are a trouble.
LEAST_FAILURES, FAILING_SHARE = 5, 0.01
# What is counted, by the alert that it leads to; requests lead to none.
ERRORS, LOST, REFUSED, REQUESTS = "PredictionsFail", "PredictionsLost", "ModelRefused", "requests"
TEXTS = {
    ERRORS: "{:.0f} requests ended in an error of the service. Its log has the traces.",
    LOST: "{:.0f} predictions could not be kept for the lake. Look at the disk of the spool.",
    REFUSED: "A promoted version was not let in, {:.0f} times; the earlier one answers.",
}


class PredictionsCheck:
    """Counters are compared with the check before; what was lost stays an alert for a while."""

    name = "predictions"
    kinds = ("NoChampion", "ModelRefused", "PredictionsFail", "PredictionsLost", "PredictionsWaiting")

    def __init__(self, settings: MonitorSettings) -> None:
        self._settings = settings
        self._remember = timedelta(seconds=settings.remember_s)
        self._counts: dict[str, float] | None = None
        self._since: dict[str, tuple[datetime, float]] = {}

    def check(self, now: datetime) -> CheckResult:
        """See `Check`. Where the service is away, another check says so."""
        url = self._settings.serving_url
        try:
            with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
                page, ready = client.get("/metrics").raise_for_status().text, client.get("/ready")
        except httpx.TransportError:
            return check_result([], [], self.kinds)
        samples = _samples(page)
        self._compare(_counts(samples), now)
        spool_bytes = sum(value for name, _, value in samples if name == "canopy_spool_bytes")
        return check_result([*self._happened(now), *self._waiting(ready, spool_bytes), *_no_champion(ready)])

    def _compare(self, counts: dict[str, float], now: datetime) -> None:
        """Adds up what was counted since the check before; a service that was started again begins at 0."""
        before, self._counts = self._counts or counts, counts
        grown = {
            name: count - before[name] if count >= before[name] else count for name, count in counts.items()
        }
        share = grown[ERRORS] / grown[REQUESTS] if grown[REQUESTS] else 0.0
        if grown[ERRORS] < LEAST_FAILURES or share < FAILING_SHARE:
            grown[ERRORS] = 0
        for name in TEXTS:
            if grown[name]:
                at, earlier = self._since.get(name, (now, 0.0))
                self._since[name] = now, grown[name] + (earlier if now - at <= self._remember else 0.0)

    def _happened(self, now: datetime) -> Iterator[Finding]:
        for kind, (at, count) in self._since.items():
            if now - at <= self._remember:
                yield Finding(kind, "serving", TEXTS[kind].format(count))

    def _waiting(self, ready: httpx.Response, spool_bytes: float) -> Iterator[Finding]:
        problem = _fields(ready).get("log_problem")
        if problem:
            yield Finding("PredictionsWaiting", "serving", str(problem))
        elif spool_bytes > self._settings.spool_bytes:
            text = f"{spool_bytes:,.0f} bytes of predictions wait for the lake: look at the store."
            yield Finding("PredictionsWaiting", "serving", text)


def _no_champion(ready: httpx.Response) -> Iterator[Finding]:
    if ready.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        yield Finding("NoChampion", "serving", str(_fields(ready).get("detail") or "It is not ready."))


def _fields(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _samples(page: str) -> list[tuple[str, dict[str, str], float]]:
    families = text_string_to_metric_families(page)
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


def _counts(samples: list[tuple[str, dict[str, str], float]]) -> dict[str, float]:
    def total(wanted: str, status: str = "") -> float:
        found = (
            value
            for name, labels, value in samples
            if name == wanted and labels.get("status", "").startswith(status)
        )
        return sum(found)

    return {
        REQUESTS: total("canopy_requests_total"),
        # 503 says that there is no model yet, which has an alert of its own.
        ERRORS: total("canopy_requests_total", "5") - total("canopy_requests_total", "503"),
        LOST: total("canopy_predictions_lost_total"),
        REFUSED: total("canopy_model_refusals_total"),
    }
