"""The way back from a snapshot to the bytes of a response."""

import hashlib

import pytest

from contracts.errors import SnapshotMissing
from lake.settings import LakeSettings
from tests.ui.small_lake import PROGRESS, ROWS_OF_RESPONSE
from ui.reading import landings
from ui.reading.pointer import publication

REQUESTS = sum(requests for requests, *_ in PROGRESS)


def test_a_snapshots_landings_come_newest_first(lake: LakeSettings) -> None:
    found = landings.landings_before(lake, publication(lake).snapshot_id)
    assert len(found) == REQUESTS
    assert [item.batch for item in found] == sorted((item.batch or 0 for item in found), reverse=True)


def test_the_next_page_begins_where_one_ends(lake: LakeSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot_id = publication(lake).snapshot_id
    everything = [item.landing_id for item in landings.landings_before(lake, snapshot_id)]
    older = landings.landings_before(lake, snapshot_id, everything[4])
    assert [item.landing_id for item in older] == everything[5:]
    assert landings.landings_before(lake, snapshot_id, everything[-1]) == []


def test_a_response_is_proven_by_its_hash(lake: LakeSettings) -> None:
    snapshot_id = publication(lake).snapshot_id
    first = landings.landings_before(lake, snapshot_id)[0]
    found = landings.landing(lake, snapshot_id, first.landing_id)
    assert found == first
    assert first.landed_rows == ROWS_OF_RESPONSE
    body, raw = landings.raw_response(lake, first.raw_key)
    assert hashlib.sha256(body).hexdigest() == raw.sha256 == first.sha256


def test_what_a_snapshot_does_not_have_is_none(lake: LakeSettings) -> None:
    assert landings.landing(lake, publication(lake).snapshot_id, "20200101T000000000000Z-00") is None


def test_a_snapshot_that_was_not_published_says_where_to_look(lake: LakeSettings) -> None:
    assert landings.publication_of(lake, publication(lake).snapshot_id).landings == REQUESTS
    with pytest.raises(SnapshotMissing, match="canopy lake publications"):
        landings.publication_of(lake, 1)
