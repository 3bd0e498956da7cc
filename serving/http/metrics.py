"""What Prometheus may ask for. Several workers write into one folder, and any answers for all."""

from __future__ import annotations

import os
from collections import Counter as Count
from collections.abc import Sequence
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from contracts.prediction import Flag

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
LATENCIES_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class Metrics:
    """The service's counters. Replies are counted as they are logged, not while somebody waits for them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self._registry), partial(Gauge, registry=self._registry)
        most: dict[str, Any] = {"multiprocess_mode": "max"}
        self.requests = counter("canopy_requests", "Requests by path and status", ["path", "status"])
        self.latency = Histogram(
            "canopy_prediction_seconds",
            "From a JSON request's head to its reply",
            buckets=LATENCIES_S,
            registry=self._registry,
        )
        self.rows = counter("canopy_predicted_rows", "Rows predicted")
        flagged = "Values that the model has hardly seen"
        self.flagged = counter("canopy_flagged_values", flagged, ["field", "code"])
        self.model = gauge("canopy_model_version", "The version that answers", ["model", "alias"], **most)
        self.swaps = counter("canopy_model_swaps", "Versions that took over", ["alias"])
        self.refusals = counter("canopy_model_refusals", "Versions that were not let in", ["alias"])
        following = "1 while the registry answers and its version is the one that answers"
        self.is_following = gauge("canopy_alias_followed", following, ["alias"], multiprocess_mode="min")
        self.spool_bytes = gauge("canopy_spool_bytes", "Predictions that wait for the lake", **most)
        put_away = "Damaged segments of predictions that were put away"
        self.quarantined = gauge("canopy_spool_quarantined", put_away, **most)
        self.lost = counter("canopy_predictions_lost", "Predictions that could not be kept")

    def count(self, latencies_ms: Sequence[float], rows: int, flags: Sequence[Flag]) -> None:
        """Counts replies of `/v1/predictions`.

        Args:
            latencies_ms: One a reply.
            rows: Of all replies.
            flags: Of all rows.
        """
        self.requests.labels("/v1/predictions", "200").inc(len(latencies_ms))
        self.rows.inc(rows)
        for latency_ms in latencies_ms:
            self.latency.observe(latency_ms / 1e3)
        for (field, code), number in Count((flag.field, flag.code) for flag in flags).items():
            self.flagged.labels(field, code).inc(number)

    def page(self) -> bytes:
        """Returns all of it in Prometheus's text format."""
        if SHARED_FOLDER not in os.environ:
            return bytes(generate_latest(self._registry))
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(shared))
