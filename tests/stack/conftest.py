"""One running stack for all of these tests, as `.ci/stack` has started it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from canopy.settings import StackSettings
from tests.stack.running import Running

# `make test` runs without a container engine; .ci/stack says that it has started a stack.
collect_ignore_glob = [] if "CANOPY_TEST_STACK" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """The stack that runs."""
    opened = Running(StackSettings())
    yield opened
    opened.airflow.close()
