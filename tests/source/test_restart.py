"""Starting over is asked for once, and leaves a trace."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from contracts.errors import SourceRefused, SourceUnavailable, StoreUnavailable
from lake.bronze.events import newest_event
from lake.objects import open_objects
from lake.settings import LakeSettings
from source.collect import collect
from source.restart import restart
from tests.source.conftest import BrokenService, Reply, impatient


def test_a_restart_begins_the_group_again_and_is_logged_and_written_down(
    simulator: str, lake: LakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings, objects = impatient(simulator), open_objects(lake)
    batches = [collect([settings], lake).landings[0].batch for _ in range(2)]
    with caplog.at_level(logging.WARNING, "source.restart"):
        key = restart(settings, 1, objects)
    assert [*batches, collect([settings], lake).landings[0].batch] == [1, 2, 1]
    url = f"{simulator}/restart_data_generation?group_number=1"
    assert f"source_restarted group=1 url={url}" in caplog.text
    event = newest_event(objects, "covertype", 1)
    assert event is not None
    assert (event.kind, event.url, event.detail) == ("restart", url, '["ok"]')
    assert "@" in event.by
    assert objects.exists(key)


def test_a_restart_lets_a_group_that_was_at_its_end_be_asked_again(
    simulator: str, lake: LakeSettings
) -> None:
    settings = impatient(simulator, recheck_s=3600.0)
    while not collect([settings], lake).reasons[0].count("at its end"):
        pass
    assert collect([settings], lake).landings == []
    restart(settings, 1, open_objects(lake))
    assert [landing.batch for landing in collect([settings], lake).landings] == [1]


def test_a_refused_restart_says_why(simulator: str, lake: LakeSettings) -> None:
    with pytest.raises(SourceRefused, match="group_number"):
        restart(impatient(simulator), 0, open_objects(lake))
    assert newest_event(open_objects(lake), "covertype", 0) is None


def test_a_restart_is_never_repeated(
    broken_service: Callable[..., BrokenService], lake: LakeSettings
) -> None:
    service = broken_service(Reply(503))
    with pytest.raises(SourceUnavailable):
        restart(impatient(service.url), 1, open_objects(lake))
    assert service.asked == ["/restart_data_generation?group_number=1"]


def test_nothing_is_restarted_that_could_not_be_written_down(
    broken_service: Callable[..., BrokenService], lake: LakeSettings
) -> None:
    service = broken_service(Reply(body=b'["ok"]'))
    (blocked := LakeSettings(uri=f"{lake.uri}/file"))
    open_objects(lake).put("file", b"no folder")
    with pytest.raises(StoreUnavailable):
        restart(impatient(service.url), 1, open_objects(blocked))
    assert service.asked == []
