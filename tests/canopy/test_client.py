"""The client and `canopy predict`, `canopy keys` against a real service."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from canopy.cli import app
from canopy.client import PredictionClient
from contracts.covertype import covertype
from contracts.errors import PredictionRefused, RowsUnreadable, ServiceUnavailable
from contracts.prediction import example_row
from tests.ui.parts import free_port, serving

ROW = example_row(covertype())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address


@pytest.fixture
def client(url: str, folder: Path) -> Iterator[PredictionClient]:
    with PredictionClient(url, (folder / "predict.key").read_text().strip()) as opened:
        yield opened


def test_rows_and_files_are_answered_alike(client: PredictionClient, tmp_path: Path) -> None:
    answer = client.predict([ROW, ROW])
    assert answer.model.version == client.model().version == "3"
    assert [one.cover_type for one in answer.predictions] == [answer.predictions[0].cover_type] * 2
    pq.write_table(pa.Table.from_pylist([ROW, ROW]), tmp_path / "cells.parquet")
    assert client.predict_file(tmp_path / "cells.parquet", tmp_path / "answers.parquet") > 0
    told = pq.read_table(tmp_path / "answers.parquet")["cover_type"].to_pylist()
    assert told == [one.cover_type for one in answer.predictions]


def test_what_is_refused_is_said_in_the_services_words(
    client: PredictionClient, url: str, tmp_path: Path
) -> None:
    with pytest.raises(PredictionRefused, match="slope_deg=110, allowed: integer from 0 to 90"):
        client.predict([{**ROW, "slope_deg": 110}])
    with (
        pytest.raises(PredictionRefused, match="401: The API key is not known here"),
        PredictionClient(url, "x" * 30) as stranger,
    ):
        stranger.model()
    with pytest.raises(RowsUnreadable, match=r"must end in \.csv"):
        client.predict_file(tmp_path / "cells.xlsx", tmp_path / "answers.csv")
    with pytest.raises(ServiceUnavailable), PredictionClient(f"http://127.0.0.1:{free_port()}", "") as lost:
        lost.model()


def test_the_commands_make_list_and_revoke_keys(tmp_path: Path) -> None:
    os.environ["CANOPY_HOME"] = str(tmp_path)
    run = CliRunner()
    made = json.loads(run.invoke(app, ["keys", "add", "--name", "team", "--scope", "admin", "--json"]).stdout)
    assert made["scopes"] == "admin"
    assert made["key"] not in (tmp_path / "keys.json").read_text()
    assert run.invoke(app, ["keys", "revoke", made["key_id"]]).exit_code == 0
    (listed,) = json.loads(run.invoke(app, ["keys", "list", "--json"]).stdout)
    assert (listed["key_id"], listed["name"]) == (made["key_id"], "team")
    assert listed["revoked_at"].endswith("UTC")
    assert run.invoke(app, ["keys", "revoke", "00000000"]).exit_code != 0
