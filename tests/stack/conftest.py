"""One running stack for all of these tests, as `.ci/stack` has started it."""

from __future__ import annotations

import os

import pytest

from canopy.settings import StackSettings
from tests.stack.running import Running

# `make test` runs without a container engine; .ci/stack says that it has started a stack.
collect_ignore_glob = [] if "CANOPY_TEST_STACK" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def running() -> Running:
    """The stack that runs."""
    return Running(StackSettings())
