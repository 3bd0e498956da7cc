"""One check of the lake's tables and of the champion, as JSON.

`python -m deploy.monitor.tables_process LANDINGS`: of so many landings it tells the live accuracy.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC
from typing import Any

from clients.mlflow import MlflowApi
from contracts.errors import CanopyError, NothingPublished
from contracts.landing_id import moment_in, name_in
from lake.bronze.landings import ROWS
from lake.catalog.connection import connect
from lake.catalog.tables import has_table
from lake.objects import open_objects
from lake.publish.audits import AuditRecord, recorded_audits
from lake.publish.pointer import Publication, latest
from lake.settings import LakeSettings
from ui.settings import TIMEOUT_S, UiSettings

LIVE = """
select landing_id, sum(right_rows) / sum(scored_rows) as accuracy, max(accuracy_high) as high
from gold.live_scores
where model_version = ? and asked_by = 'landing'
group by landing_id
order by landing_id desc
limit ?
"""
FAILURES_SHOWN = 3


def main() -> None:
    """Prints what the lake says; ends with the message alone where it cannot be read."""
    try:
        print(json.dumps(check(LakeSettings(), int(sys.argv[1]))))  # noqa: T201
    except CanopyError as error:
        sys.exit(" ".join(str(error).split()))


def check(lake: LakeSettings, landings: int) -> dict[str, Any]:
    """Returns what is published, what waits, what the last audit said, how the champion did on the last
    landings."""
    publication, audits = latest(lake), recorded_audits(lake, 1)
    waiting = _waiting(lake, publication)
    champion = _champion() if publication else None
    return {
        "published_at": publication.published_at.astimezone(UTC).isoformat() if publication else None,
        "waiting": len(waiting),
        "waiting_since": min(map(moment_in, waiting)).isoformat() if waiting else None,
        "audit": _audit(audits[0][1]) if audits else None,
        "champion": champion,
        "live": _live(lake, publication, champion["version"], landings) if publication and champion else [],
    }


def _waiting(lake: LakeSettings, publication: Publication | None) -> set[str]:
    """Returns the landings that no publication has."""
    names = {name_in(key) for key in open_objects(lake).keys(ROWS)}
    landed = {name for name in names if _is_landing(name)}
    if publication is None:
        return landed
    with connect(lake, snapshot_id=publication.snapshot_id) as connection:
        return landed - {
            name for (name,) in connection.execute("select landing_id from silver.landings").fetchall()
        }


def _live(lake: LakeSettings, publication: Publication, version: int, landings: int) -> list[dict[str, Any]]:
    try:
        with connect(lake, snapshot_id=publication.snapshot_id) as connection:
            if not has_table(connection, "gold.live_scores"):
                return []
            rows = connection.execute(LIVE, [version, landings]).fetchall()
    except NothingPublished:
        return []
    return [{"landing_id": landing, "accuracy": accuracy, "high": high} for landing, accuracy, high in rows]


def _champion() -> dict[str, Any] | None:
    """Returns who answers, and what it has promised; None where nobody does, or MLflow is away."""
    settings = UiSettings()
    mlflow = MlflowApi(
        settings.mlflow_url,
        settings.model_name,
        account=settings.mlflow_account,
        timeout_s=TIMEOUT_S,
    )
    try:
        found = mlflow.champion()
    except CanopyError:
        return None
    return {"version": found.number, "accuracy_low": found.score("accuracy_low")}


def _audit(record: AuditRecord) -> dict[str, Any]:
    return {
        "snapshot_id": record.snapshot_id,
        "audited_at": record.audited_at.astimezone(UTC).isoformat(),
        "is_passed": record.is_passed,
        "failures": list(record.failures[:FAILURES_SHOWN]),
    }


def _is_landing(name: str) -> bool:
    try:
        moment_in(name)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    main()
