"""When a publication is worth a training run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lake.published import Publication
from training.due import too_little_new
from training.registry import Version
from training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("observations", "is_due"), [(1000, False), (1199, False), (1200, True), (5000, True)]
)
def test_a_run_waits_for_a_fifth_more_rows(observations: int, is_due: bool) -> None:
    newest = Version(3, "run", {"train_rows": "800", "test_rows": "200"})
    publication = Publication(2, 20, datetime.now(UTC), 2, observations, 0, "passed")
    missing = too_little_new(newest, publication, TrainingSettings(minimum_growth=0.2))
    assert (missing is None) == is_due
    if missing:
        assert f"{observations - 1000} rows are new since version 3 learned from 1000" in missing
