"""The monitor's numbers in Prometheus' text format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from deploy.monitor.book import Active
from deploy.monitor.check import Figure
from deploy.monitor.kinds import KINDS

ALERTS, LOOKED_AT = "canopy_alerts", "canopy_monitor_looked_timestamp_seconds"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Each figure's name, what it is, and its labels.
FIGURES: dict[str, tuple[str, tuple[str, ...]]] = {
    ALERTS: ("Alerts that are active, by kind", ("kind",)),
    LOOKED_AT: ("When the monitor has looked last", ()),
    "canopy_part_up": ("1 while a part says that it is well", ("part",)),
    "canopy_part_restarts": ("How often a part was seen to be started again", ("part",)),
    "canopy_newest_landing_timestamp_seconds": ("When the newest landing was fetched", ("source", "group")),
    "canopy_newest_publication_timestamp_seconds": ("When the pointer moved last", ()),
    "canopy_newest_audit_timestamp_seconds": ("When the newest audit ended", ()),
    "canopy_newest_backup_timestamp_seconds": ("When the newest backup was made", ()),
    "canopy_landings_waiting": ("Landings that are not published", ()),
    "canopy_landings_held": ("Landings that an audit holds back", ()),
    "canopy_quarantined_things": ("What could not be read and was put aside", ()),
    "canopy_failed_runs": ("DAGs whose newest run has failed", ("dag",)),
    "canopy_live_accuracy": ("Of the newest landing that the champion was asked about", ()),
    "canopy_promised_accuracy": ("The least that the champion has promised", ()),
    "canopy_disk_free_bytes": ("Room on a disk", ("folder",)),
    "canopy_clock_jump_seconds": ("By how much the clock has jumped, at its last jump", ()),
}


def page_of(figures: Iterable[Figure], active: Iterable[Active]) -> bytes:
    """Returns all figures, with the number of active alerts of each kind, also where it is none."""
    counts = Counter(one.kind for one in active)
    every = [*(Figure(ALERTS, counts[kind], (kind,)) for kind in KINDS), *figures]
    registry = CollectorRegistry()
    for name, (about, labels) in FIGURES.items():
        if found := [figure for figure in every if figure.name == name]:
            gauge = Gauge(name, about, labels, registry=registry)
            for figure in found:
                (gauge.labels(*figure.labels) if labels else gauge).set(figure.value)
    return bytes(generate_latest(registry))
