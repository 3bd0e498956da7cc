"""Bronze of any size for a measurement, straight into its row files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa

from contracts.covertype import covertype
from lake.bronze.landings import Provenance, Raw, raw_key, rows_key, to_parquet, with_provenance
from lake.settings import LakeSettings
from source.simulator.synthetic import generate

GROUPS, BATCHES = 10, 10
SURVEY_ROWS = 581_012
RESPONSE_ROWS = 5_810
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
PACE = timedelta(seconds=30)


class Bronze:
    """Landings as the service would bring them: each a random tenth of the slice of its group.

    Args:
        lake: Where to write.
        rows: Distinct rows that the source has, in all ten groups.
        seed: Of the rows and of each response.
    """

    def __init__(self, lake: LakeSettings, rows: int = SURVEY_ROWS, seed: int = 1) -> None:
        self._root = Path(lake.root)
        self._survey = population(rows, seed)
        self._slice = rows // GROUPS
        self._seed = seed

    def land(self, numbers: range) -> None:
        """Writes these landings; a number is always the same landing."""
        for number in numbers:
            raw, batch, values = self._response(number)
            target = self._root / rows_key(raw.key)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(to_parquet(with_provenance(values, raw, batch, "none")))

    def _response(self, number: int) -> tuple[Raw, int, pa.Table]:
        group, batch = number % GROUPS, number // GROUPS % BATCHES
        chosen = np.random.default_rng([self._seed, number]).choice(
            self._slice, size=min(RESPONSE_ROWS, self._slice // 10), replace=False
        )
        digest = sha256(f"{self._seed} {number}".encode()).hexdigest()
        provenance = Provenance(
            source="covertype",
            group=group + 1,
            fetched_at=BEGAN + number * PACE,
            request_id=digest[:32],
            url=f"http://127.0.0.1:8010/data?group_number={group + 1}",
            client_version="bench",
        )
        key = raw_key(provenance, digest)
        raw = Raw(key.rpartition("/")[2].removesuffix(".json.zst"), key, digest, provenance)
        return raw, batch, self._survey.take(pa.array(chosen + group * self._slice))


def population(rows: int, seed: int) -> pa.Table:
    """Returns distinct rows, as the source writes them: 13 columns of text."""
    names = [column.source_name for column in covertype().columns]
    drawn = generate(rows + rows // 50, seed=seed)
    distinct = drawn.group_by(names, use_threads=False).aggregate([]).slice(0, rows)
    if distinct.num_rows < rows:
        raise ValueError(f"Of {drawn.num_rows} drawn rows only {distinct.num_rows} differ; {rows} are wanted")
    return distinct
