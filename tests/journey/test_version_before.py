"""A lake, a registry and a backup that the version before has written are read by this one.

The version before is the last one whose packages lay elsewhere: what it wrote names none of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from contracts.stack_settings import PROJECT
from source.simulator.rows import read_rows
from source.simulator.server import serving as simulating
from source.simulator.settings import SimulatorSettings

pytestmark = pytest.mark.longest  # it needs the history, which a shallow clone has not

BEFORE = "4e2fc985e1804a30a2a6d501ef6a913e6509dc1b"
TREES = json.dumps({"trees": 12})


@dataclass(frozen=True)
class Written:
    """What the version before has left.

    Attributes:
        environment: What a command finds it with.
        folder: Where its code is.
        backup: A backup of its home.
        rows: What its `canopy sql` gave for gold.
    """

    environment: dict[str, str]
    folder: Path
    backup: Path
    rows: str


QUERY = "select * exclude (first_landing_id) from gold.training_set order by row_id"


@pytest.fixture(scope="module")
def written(survey: Path, mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder, home = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("home") / "home"
    archived = subprocess.run(["git", "archive", BEFORE], cwd=PROJECT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archived)) as archive:
        archive.extractall(folder, filter="data")
    environment = {name: value for name, value in os.environ.items() if name != "CANOPY_HOME"} | {
        "CANOPY_HOME": str(home),
        "TRAINING_MLFLOW_URL": mlflow_url,
        "TRAINING_MODEL_NAME": "before",
        "TRAINING_EXPERIMENT": "before",
        "TRAINING_PARAMETERS": TREES,
        "SOURCE_WINDOW_S": "0",
        "SOURCE_REQUESTS_PER_WINDOW": "1",
        "TRAINING_MINIMUM_GROWTH": "0",
    }
    simulator = SimulatorSettings(window_s=0.0, seed=7, state=folder / "source.json")
    with simulating(simulator, read_rows(survey)) as url:
        environment["SOURCE_URL"] = url
        run(environment, "collect", code=folder)
        run(environment, "collect", code=folder)
    run(environment, "refine", code=folder)
    run(environment, "train", code=folder)
    backup = folder / "backup"
    run(environment, "backup", str(backup), code=folder)
    return Written(
        environment, folder, backup, run(environment, "sql", QUERY, "--format", "csv", code=folder)
    )


def run(environment: dict[str, str], *arguments: str, code: Path = PROJECT) -> str:
    """Runs a command of the code in a folder. Returns: what it has written to standard output."""
    command = [sys.executable, "-m", "canopy", *arguments]
    given = environment | {"PYTHONPATH": str(code)}
    done = subprocess.run(command, env=given, cwd=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_code_was_run_and_not_this_one(written: Written) -> None:
    program = "import canopy.settings; print(canopy.settings.__file__)"
    given = written.environment | {"PYTHONPATH": str(written.folder)}
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, env=given, cwd=written.folder, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(written.folder)


def test_its_lake_is_whole_and_its_rows_are_the_same(written: Written) -> None:
    run(written.environment, "lake", "verify")
    assert run(written.environment, "sql", QUERY, "--format", "csv") == written.rows


def test_what_it_has_trained_is_not_trained_again_and_answers(written: Written) -> None:
    said = json.loads(run(written.environment, "models", "--json"))
    assert [(item["version"], item["verdict"]) for item in said] == [(1, "promoted")]
    assert "had been trained before" in run(written.environment, "train")
    assert "Version 1" in run(written.environment, "promote", "1")


def test_a_refine_goes_on_where_it_was(written: Written) -> None:
    run(written.environment, "refine")
    run(written.environment, "lake", "verify")


def test_its_backup_is_put_back(written: Written, tmp_path: Path) -> None:
    elsewhere = written.environment | {"CANOPY_HOME": str(tmp_path / "restored")}
    run(elsewhere, "restore", str(written.backup))
    assert run(elsewhere, "sql", QUERY, "--format", "csv") == written.rows
    run(elsewhere, "lake", "verify")
