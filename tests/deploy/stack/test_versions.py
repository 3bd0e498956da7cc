"""Another version is started in the place of this one and left again: all that was there stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.containers.compose import Compose
from tests.deploy.stack.holdings import landings, let_all_end, state, wait_for_publication
from tests.deploy.stack.running import Running, docker

pytestmark = pytest.mark.long

OTHER = "0.1.0-other"


@pytest.fixture
def other(running: Running) -> Iterator[Compose]:
    """The same stack as another version of it, without the source."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CANOPY_VERSION", OTHER)
        other = Compose(running.settings)
    yield other
    running.compose.up(lambda _: None)
    named = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=canopy-*:{OTHER}"]
    docker("image", "rm", *docker(*named).split())


def versions(running: Running) -> set[str]:
    """The tags of what our own parts run, the init job's included."""
    ids = running.compose.run("ps", "--all", "--quiet", profiles=("*",)).split()
    names = docker("inspect", "--format", "{{.Config.Image}}", *ids).split()
    return {name.partition(":")[2] for name in names if name.startswith("canopy-")}


def test_another_version_keeps_everything_and_so_does_going_back(running: Running, other: Compose) -> None:
    running.wait_for("a model", running.ready, 600)
    let_all_end(running)
    running.compose.run("rm", "--force", "--stop", "source")
    before, known, here = state(running), landings(running), versions(running)
    assert OTHER not in here

    other.up(lambda _: None)
    assert versions(running) == {OTHER}
    running.wait_for("a model", running.ready, 300)
    assert state(running) == before

    Compose(running.settings).up(lambda _: None)
    assert versions(running) == here
    running.wait_for("a model", running.ready, 300)
    assert state(running) == before
    assert landings(running) == known
    running.compose.up(lambda _: None)
    wait_for_publication(running, before["publications"])
