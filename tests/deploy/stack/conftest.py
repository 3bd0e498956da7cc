"""One running stack for all of these tests, as `.ci/stack` has started it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts.stack_settings import StackSettings
from tests.deploy.stack.running import Running

# `make test` runs without a container engine; .ci/stack says that it has started a stack.
collect_ignore_glob = [] if "CANOPY_TEST_STACK" in os.environ else ["test_*.py"]


# The way first, as it fills what the others look into; then what disturbs least.
ORDER = ("way", "refusals", "watch", "proxy", "secrets", "together", "faults", "scale", "versions", "restore")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts this folder's tests into their order, after all others."""
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """When a test has its turn."""
    is_ours = item.path.parent == Path(__file__).parent
    return ORDER.index(item.path.stem.removeprefix("test_")) if is_ours else -1


@pytest.fixture(scope="session")
def running() -> Running:
    """The stack that runs."""
    return Running(StackSettings())
