"""From a landing to its publication, on the local stack, Airflow included: `python -m bench.publishing`.

The whole stack runs, in a folder of its own, and the simulator serves a batch a window. A landing counts from
when its row file is there until the pointer has moved to a snapshot that has it.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from contracts.stack_settings import StackSettings
from deploy.local.launch import bring_up, check_alive
from lake.bronze.landings import ROWS
from lake.publish.pointer import published
from lake.settings import LakeSettings

# The first landing comes while the stack is still starting.
LEFT_OUT = 1
STARTING_S = 300
# The source serves ten batches, then no more: after so many windows without a publication it is over.
SILENT_WINDOWS = 4


@dataclass(frozen=True)
class Way:
    """One landing's way, in seconds.

    Attributes:
        build: From its row file until dbt had built it; of it, what Airflow needed to begin is in it.
        audit: From then until the audit had passed.
        publish: From then until the pointer moved.
        rows: Distinct rows that were published.
    """

    build: float
    audit: float
    publish: float
    rows: int

    @property
    def seconds(self) -> float:
        """Returns all of it."""
        return self.build + self.audit + self.publish


def ways(settings: StackSettings, lake: LakeSettings) -> list[Way]:
    """Returns the way of every landing that was published alone, oldest first."""
    arrived = {
        file.name.partition(".")[0]: file.stat().st_mtime for file in Path(lake.root, ROWS).rglob("*.parquet")
    }
    found = []
    for publication, landings in reversed(published(lake)):
        if landings is None or len(landings) != 1:
            continue
        moved = publication.published_at.timestamp()
        ends = ended_before(settings.folder / "airflow" / "airflow.sqlite", moved)
        at = [arrived[landings[0]], ends["build"], ends["audit"], moved]
        build, audit, publish = (after - before for before, after in pairwise(at))
        found.append(Way(build, audit, publish, publication.observations))
    return found


def ended_before(airflow: Path, moment: float) -> dict[str, float]:
    """Returns when dbt's task and the audit's last ended well before a moment, by Airflow's own notes."""
    query = """
        select max(end_date) from task_instance
        where dag_id = 'refine' and task_id = ? and state = 'success' and end_date < ?
    """
    until = datetime.fromtimestamp(moment, UTC).replace(tzinfo=None).isoformat(" ")  # as Airflow writes it
    ends = {}
    with closing(sqlite3.connect(airflow)) as connection:
        for name, task in (("build", "build.dbt_producer_watcher"), ("audit", "audit")):
            end = datetime.fromisoformat(connection.execute(query, [task, until]).fetchone()[0])
            ends[name] = end.replace(tzinfo=UTC).timestamp()
    return ends


def measure(settings: StackSettings, landings: int) -> list[Way]:
    """Runs the stack until so many landings were published or the source is at its end, and stops it."""
    lake = LakeSettings()
    supervisor = bring_up(settings, say=_say)
    try:
        found: list[Way] = []
        until = time.monotonic() + STARTING_S
        while len(found) < LEFT_OUT + landings and time.monotonic() < until:
            time.sleep(2)
            check_alive(supervisor)
            newest = ways(settings, lake)
            for way in newest[len(found) :]:
                until = time.monotonic() + SILENT_WINDOWS * settings.window_s
                _say(f"{way.seconds:.1f} s ({way.build:.1f} + {way.audit:.1f} + {way.publish:.1f})")
            found = newest
        return found[LEFT_OUT:]
    finally:
        supervisor.stop()


def report(found: Sequence[Way]) -> str:
    """Returns the table of docs/benchmarks.md."""
    lines = ["| | median | least | most |", "|---|---|---|---|"]
    for title, name in (
        ("landing to published", "seconds"),
        ("of it: until dbt has built it, tests included", "build"),
        ("of it: until it is audited", "audit"),
        ("of it: until the pointer has moved", "publish"),
    ):
        values = [getattr(way, name) for way in found]
        lines.append(
            f"| {title} | {statistics.median(values):.1f} s | {min(values):.1f} s | {max(values):.1f} s |"
        )
    return "\n".join(lines)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landings", type=int, default=10, help="how many are measured, after the first")
    parser.add_argument("--window", type=float, default=60.0, help="seconds between two batches")
    parser.add_argument("--rows", type=Path, help="a Parquet file of rows; generated ones if not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({"CANOPY_HOME": folder, "SOURCE_REQUESTS_PER_WINDOW": "1"})
        settings = StackSettings(
            rows=arguments.rows, window_s=arguments.window, collect_every_s=arguments.window
        )
        os.environ.update(LAKE_URI=f"{folder}/lake", LAKE_CATALOG=f"sqlite:{folder}/catalog.sqlite")
        found = measure(settings, arguments.landings)
    sys.stdout.write(report(found) + "\n")


if __name__ == "__main__":
    main()
