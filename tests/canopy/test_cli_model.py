"""`canopy models`, `promote`, `refuse` and `rollback`, against a real registry."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from canopy.cli import app
from contracts.errors import ModelMissing, NotAwaiting
from lake.settings import LakeSettings
from tests.training.conftest import small
from tests.training.survey import make_lake, survey
from training.train import train


@pytest.fixture(scope="module")
def trained(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> LakeSettings:
    lake = make_lake(tmp_path_factory.mktemp("models"), survey(900))
    settings = small(mlflow_url, "by command").model_copy(update={"leak_meter": False})
    train(settings, lake)
    train(settings, lake, force=True)
    return lake


@pytest.fixture
def command(trained: LakeSettings, mlflow_url: str, tmp_path: Path) -> Iterator[CliRunner]:
    before = dict(os.environ)  # a command tells the parts of each other there
    os.environ.update(
        CANOPY_HOME=str(tmp_path),
        LAKE_URI=trained.uri,
        LAKE_CATALOG=trained.catalog,
        TRAINING_MLFLOW_URL=mlflow_url,
        TRAINING_MODEL_NAME="by command",
    )
    yield CliRunner()
    os.environ.clear()
    os.environ.update(before)


def test_versions_are_listed_with_what_a_program_needs(command: CliRunner) -> None:
    found = json.loads(command.invoke(app, ["models", "--json"]).stdout)
    assert [one["version"] for one in found] == [2, 1]
    assert found[1]["aliases"] == ["champion"]
    assert found[1]["verdict"] == "promoted"
    assert found[0]["verdict"] == "refused"
    assert found[0]["macro_f1_low"] < found[0]["macro_f1"] < found[0]["macro_f1_high"]
    assert found[0]["trained_because"] == "a person asked for it"
    shown = command.invoke(app, ["models"], env={"COLUMNS": "80"}).stdout
    for one in found:  # nothing is cut off in a terminal of the usual width
        assert "{macro_f1:.3f} [{macro_f1_low:.3f}, {macro_f1_high:.3f}]".format(**one) in shown
        assert one["verdict"] in shown


def test_a_version_that_somebody_else_registered_is_listed(
    command: CliRunner, mlflow_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(mlflow_url, mlflow_url)
    client.create_registered_model("by somebody else")
    client.create_model_version("by somebody else", source="s3://elsewhere/model")
    monkeypatch.setenv("TRAINING_MODEL_NAME", "by somebody else")
    shown = command.invoke(app, ["models"]).stdout
    assert "not judged" in shown
    assert shown.count("–") == 4


def test_one_version_shows_every_criterion_with_its_figures(command: CliRunner) -> None:
    found = json.loads(command.invoke(app, ["models", "2", "--json"]).stdout)
    names = {item["name"]: item for item in found["criteria"]}
    assert {"golden", "memory", "latency", "macro_f1", "recall of Krummholz"} <= set(names)
    assert names["macro_f1"]["passed"] is False
    shown = " ".join(command.invoke(app, ["models", "2"]).stdout.split())
    assert "Version 2: refused" in shown
    assert found["run_id"] in shown  # whole, for `canopy reproduce`
    assert names["macro_f1"]["says"].startswith("not better beyond chance")


def test_a_version_is_promoted_and_rolled_back(command: CliRunner) -> None:
    assert "Version 2 is the champion." in command.invoke(app, ["promote", "2"]).stdout
    back = command.invoke(app, ["rollback", "--json"])
    assert json.loads(back.stdout) == {"champion": 1}


def test_a_version_is_reproduced_by_its_number_or_its_run(command: CliRunner) -> None:
    run_id = json.loads(command.invoke(app, ["models", "1", "--json"]).stdout)["run_id"]
    for named in ("1", run_id):
        assert f"The run {run_id} came out as before" in command.invoke(app, ["reproduce", named]).stdout
    assert isinstance(command.invoke(app, ["reproduce", "9"]).exception, ModelMissing)


def test_what_cannot_be_is_an_expected_error(command: CliRunner) -> None:
    assert isinstance(command.invoke(app, ["promote", "9"]).exception, ModelMissing)
    assert isinstance(command.invoke(app, ["refuse", "1"]).exception, NotAwaiting)
    assert isinstance(command.invoke(app, ["models", "9"]).exception, ModelMissing)
