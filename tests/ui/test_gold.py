"""What the UI reads of the lake."""

from pathlib import Path

import pytest

from contracts.covertype import covertype
from contracts.errors import NothingPublished
from lake.catalog.connection import connect
from lake.settings import LakeSettings
from tests.ui.small_lake import LIVE_ACCURACY, PROGRESS, make_lake
from ui.reading import cells, gold
from ui.reading.pointer import publication


def test_totals_add_up_to_what_landed(lake: LakeSettings) -> None:
    totals = gold.progress(lake, publication(lake)).totals
    assert totals.requests == sum(requests for requests, *_ in PROGRESS)
    assert totals.rows == totals.new_rows + totals.repeated_rows + totals.quarantined_rows
    assert totals.batches == len(PROGRESS)


def test_batches_come_in_the_order_in_which_they_were_fetched(lake: LakeSettings) -> None:
    batches = gold.progress(lake, publication(lake)).batches
    assert [batch.batch for batch in batches] == [1, 2, 3, 4, 5, 6]
    assert [batch.new_rows for batch in batches] == [new for _, _, new, _ in PROGRESS]


def test_presets_are_held_out_cells_of_every_cover_type(lake: LakeSettings) -> None:
    found_cells = cells.presets(lake, publication(lake))
    with connect(lake) as connection:
        found = connection.execute(
            "select cover_type, count(*) from gold.training_set where split = 'test' group by cover_type"
        ).fetchall()
    by_type = {label: [cell for cell in found_cells if cell.cover_type == label] for label, _ in found}
    assert {label: len(chosen) for label, chosen in by_type.items()} == {
        label: min(3, count) for label, count in found
    }
    for chosen in by_type.values():
        heights = [cell.features["elevation_m"] for cell in chosen]
        assert heights == sorted(heights)
    assert list(found_cells[0].features) == [column.name for column in covertype().features]


def test_coverage_is_what_the_newest_batch_of_a_group_knows(lake: LakeSettings) -> None:
    (group,) = gold.progress(lake, publication(lake)).coverage
    assert (group.group, group.requests, group.distinct_rows, group.estimated_rows) == (5, 14, 2000, 2400)
    assert group.low is not None
    assert group.low < (group.share or 0) < (group.high or 0)


def test_live_accuracy_is_that_of_the_version_that_was_asked_last(lake: LakeSettings) -> None:
    scores = gold.progress(lake, publication(lake)).live
    assert [score.version for score in scores] == [1] * 7 + [2] * 6
    assert gold.live_accuracy(scores) == pytest.approx(LIVE_ACCURACY)
    assert gold.live_accuracy([]) is None


def test_a_column_ranges_over_what_the_landings_hold(lake: LakeSettings) -> None:
    assert cells.ranges(lake, publication(lake))["elevation_m"] == (1800, 3400)


@pytest.mark.long
def test_what_is_written_after_publication_is_not_seen(tmp_path: Path) -> None:
    settings = make_lake(tmp_path)
    published = publication(settings)
    with connect(settings, write=True) as connection:
        connection.execute("delete from gold.collection_progress")
    assert publication(settings) == published
    assert gold.progress(settings, publication(settings)).totals.batches == len(PROGRESS)


def test_an_empty_lake_says_what_to_run(tmp_path: Path) -> None:
    settings = LakeSettings(uri=str(tmp_path / "lake"), catalog=f"sqlite:{tmp_path}/catalog.sqlite")
    with pytest.raises(NothingPublished, match="canopy collect"):
        publication(settings)
