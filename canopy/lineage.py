"""From a model back to the responses that it learned from."""

from __future__ import annotations

from dataclasses import dataclass

from lake.catalog import connect
from lake.settings import LakeSettings


@dataclass(frozen=True)
class Lineage:
    """What a snapshot was built from.

    Attributes:
        snapshot_id: The published snapshot that a model learned from.
        landings: Ids of the responses in it, oldest first.
        raw_keys: Where each of those responses lies, byte for byte.
    """

    snapshot_id: int
    landings: tuple[str, ...]
    raw_keys: tuple[str, ...]


def lineage(lake: LakeSettings, snapshot_id: int) -> Lineage:
    """The responses behind a snapshot, and so behind every model and prediction that cites it."""
    with connect(lake, snapshot_id=snapshot_id) as connection:
        rows = connection.execute(
            "select landing_id, raw_key from silver.landings order by fetched_at, landing_id"
        ).fetchall()
    landings, raw_keys = zip(*rows, strict=True) if rows else ((), ())
    return Lineage(snapshot_id, landings, raw_keys)
