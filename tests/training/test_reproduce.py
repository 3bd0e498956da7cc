"""A run once more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import NotReproduced, RunUnknown
from lake.settings import LakeSettings
from tests.training.survey import publish_rows, survey
from training.promote.registry import Registry
from training.report.reproduce import FIGURES, reproduce
from training.settings import TrainingSettings
from training.train import train

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("canopy", "contracts", "expectations", "lake", "serving", "source", "training", "ui")


@pytest.mark.longest
def test_a_run_comes_out_as_before_on_another_checkout_also_when_gold_has_grown(
    settings: TrainingSettings, tmp_path: Path
) -> None:
    from tests.training.survey import make_lake

    columns = survey(1500)
    lake = make_lake(tmp_path, {name: values[:1000] for name, values in columns.items()})
    trained = train(settings, lake)
    publish_rows(lake, columns)
    elsewhere = tmp_path / "elsewhere"
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, elsewhere / package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {
        "PYTHONPATH": str(elsewhere),
        "CANOPY_HOME": str(tmp_path / "home"),
        "TRAINING_MLFLOW_URL": settings.mlflow_url,
        "TRAINING_N_JOBS": "2",
        "LAKE_URI": lake.uri,
        "LAKE_CATALOG": lake.catalog,
    }
    command = [sys.executable, "-m", "canopy", "reproduce", trained.run_id, "--json"]
    ended = subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    again = json.loads(ended.stdout)
    tags = Registry(settings).version(trained.version).tags
    assert again["figures"] == {name: tags[name] for name in FIGURES}


@pytest.mark.long
def test_what_differs_is_named_and_the_exit_status_says_so(
    settings: TrainingSettings, lake: LakeSettings
) -> None:
    trained = train(settings, lake)
    registry = Registry(settings)
    registry.client.set_tag(trained.run_id, "macro_f1", "0.990000")
    registry.client.set_tag(trained.run_id, "lock_hash", "another")
    with pytest.raises(
        NotReproduced, match=r"macro_f1 was 0.990000 and is 0\.\d+; lock_hash was another"
    ) as raised:
        reproduce(trained.run_id, settings, lake)
    assert raised.value.exit_status != 0


def test_a_run_that_nobody_knows_or_that_says_too_little_is_refused(
    settings: TrainingSettings, lake: LakeSettings
) -> None:
    with pytest.raises(RunUnknown, match="MLflow has no such run"):
        reproduce("0" * 32, settings, lake)
    client = Registry(settings).client
    experiment = client.create_experiment(settings.experiment)
    bare = client.create_run(experiment).info.run_id
    with pytest.raises(RunUnknown, match="it does not say its snapshot_id"):
        reproduce(bare, settings, lake)
