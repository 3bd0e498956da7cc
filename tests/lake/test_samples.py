"""What bronze says of a group, in a folder and in an S3."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lake.bronze.events import Event, newest_event, record
from lake.bronze.samples import kept_at, landed_between, read_samples, unrefined
from lake.objects import open_objects
from lake.settings import LakeSettings
from tests.lake.landed import NOON, lake_in, land, sample, survey_rows
from tests.lake.stores import lake_in_s3, s3_service

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> LakeSettings:
    if request.param == "folder":
        return lake_in(tmp_path)
    url = request.getfixturevalue("s3")
    return lake_in_s3(url, tmp_path)


@pytest.fixture(scope="module")
def s3():  # type: ignore[no-untyped-def]
    with s3_service() as url:
        yield url


def test_a_group_without_responses_has_no_samples(lake: LakeSettings) -> None:
    found = read_samples(lake, open_objects(lake), "simulator", 1)
    assert (found.landed, found.distinct_rows, found.distinct_by_batch) == ((), 0, ())
    assert kept_at(open_objects(lake), "simulator", 1) == []


def test_rows_are_counted_by_their_content_in_all_and_by_batch(lake: LakeSettings, survey: Path) -> None:
    rows = survey_rows(survey, 300)
    drawn = [sample(rows, 100, seed) for seed in range(3)]
    for minute, (batch, some) in enumerate(zip([1, 1, 2], drawn, strict=True)):
        land(lake, some, minute, batch=batch)
    land(lake, rows, minute=9, group=2)
    found = read_samples(lake, open_objects(lake), "simulator", 1)
    unlike = [{tuple(row) for row in some} for some in drawn]
    assert [(one.batch, one.rows, one.fetched_at) for one in found.landed] == [
        (1, 100, NOON),
        (1, 100, NOON + timedelta(minutes=1)),
        (2, 100, NOON + timedelta(minutes=2)),
    ]
    assert found.distinct_rows == len(set.union(*unlike))
    assert found.distinct_by_batch == ((1, len(unlike[0] | unlike[1])), (2, len(unlike[2])))


def test_landings_are_found_by_when_they_were_fetched(lake: LakeSettings, survey: Path) -> None:
    rows = survey_rows(survey, 10)
    keys = [land(lake, rows, minute).key for minute in range(3)]
    objects = open_objects(lake)
    assert landed_between(objects) == keys
    assert landed_between(objects, since=NOON + timedelta(minutes=1)) == keys[1:]
    assert landed_between(objects, until=NOON + timedelta(minutes=1)) == keys[:1]
    assert unrefined(lake, until=NOON + timedelta(minutes=2)) == keys[:2]


def test_the_newest_event_of_a_group_is_read_as_it_was_written(lake: LakeSettings) -> None:
    objects = open_objects(lake)
    assert newest_event(objects, "simulator", 1) is None
    first = Event("failure", "simulator", 1, NOON, "http://x", "no answer")
    second = Event(
        "end_of_data", "simulator", 1, NOON + timedelta(seconds=1), "http://x", "mínima", "me@here"
    )
    for event in (second, first):
        record(objects, event)
    record(objects, Event("restart", "simulator", 11, NOON + timedelta(days=1), "http://x", "ok"))
    assert newest_event(objects, "simulator", 1) == second
