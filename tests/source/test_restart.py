"""Starting over is asked for once, and leaves a trace."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from contracts.errors import SourceRefused, SourceUnavailable
from source.collect import collect_once
from source.restart import restart
from tests.source.conftest import BrokenService, Reply, impatient


def test_a_restart_begins_the_group_again_and_is_logged(
    simulator: str, lake: object, caplog: pytest.LogCaptureFixture
) -> None:
    settings = impatient(simulator)
    batches = [collect_once(settings, lake).landings[0].batch for _ in range(2)]
    with caplog.at_level(logging.WARNING, "source.restart"):
        restart(settings, group=1)
    assert [*batches, collect_once(settings, lake).landings[0].batch] == [1, 2, 1]
    assert f"source_restarted group=1 url={simulator}/restart_data_generation" in caplog.text


def test_a_refused_restart_says_why(simulator: str) -> None:
    with pytest.raises(SourceRefused, match="group_number"):
        restart(impatient(simulator), group=0)


def test_a_restart_is_never_repeated(broken_service: Callable[..., BrokenService]) -> None:
    service = broken_service(Reply(503))
    with pytest.raises(SourceUnavailable):
        restart(impatient(service.url), group=1)
    assert service.asked == ["/restart_data_generation?group_number=1"]
