"""A stack that is lost with all its volumes comes back out of its backup as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.backup.containers import back_up, restore
from deploy.containers.compose import Compose
from tests.deploy.stack.holdings import landings, let_all_end, state
from tests.deploy.stack.running import Running

pytestmark = pytest.mark.long


def test_a_lost_stack_comes_back_out_of_its_backup(running: Running, tmp_path: Path) -> None:
    running.wait_for("a model", running.ready, 600)
    let_all_end(running)
    before, known = state(running), landings(running)
    back_up(running.settings, tmp_path / "backup", lambda _: None)
    running.compose.run("down", "--volumes", profiles=("*",))
    shutil.move(running.secrets, tmp_path / "lost")
    restore(running.settings, tmp_path / "backup", lambda _: None)
    Compose(running.settings).up(lambda _: None)  # without a source: nothing new comes
    running.wait_for("a model", running.ready, 300)
    assert state(running) == before
    assert known <= landings(running)
    assert running.verify()["faults"] == []
    running.compose.up(lambda _: None)
