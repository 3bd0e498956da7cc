"""The whole way in containers: a batch from the source to a prediction that a person reads."""

from __future__ import annotations

import json
from functools import partial

import boto3
import httpx
import pytest
from playwright.sync_api import expect

from clients.airflow import Run
from deploy.local.environment import local
from tests.deploy.stack.running import CELL, Running, docker
from tests.ui.browser import PAGES, chromium, finish, go_to, open_page
from training.report.provenance import code_revision
from training.settings import TrainingSettings
from ui.language import texts_of


def test_every_part_is_well(running: Running) -> None:
    services = {service.name: service for service in running.compose.services()}
    assert services.pop("init").state == "exited"
    assert len(services) >= 12
    assert [service for service in services.values() if not service.is_healthy] == []


def test_airflow_lands_refines_publishes_and_trains_until_a_model_answers(running: Running) -> None:
    running.wait_for("a champion", running.ready, within_s=600)
    # The model may answer while the last tasks of the refine it learned from still run.
    for dag in ("collect", "refine", "train"):
        running.wait_for(f"a run of {dag} that has ended", partial(ended, running, dag), within_s=300)
    assert {run.state for dag in ("collect", "refine", "train") for run in ended(running, dag)} == {"success"}


def ended(running: Running, dag: str) -> list[Run]:
    """The runs of a DAG that are neither waiting nor at work."""
    return [run for run in running.airflow.runs(dag) if run.state not in ("queued", "running")]


def test_responses_and_rows_lie_in_the_bucket_and_the_catalog_counts_them(running: Running) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=local(running.settings.s3_port),
        aws_access_key_id="analyst",
        aws_secret_access_key=running.passwords["s3"]["analyst"],
        region_name="us-east-1",
    )
    listed = client.list_objects_v2(Bucket="lake", Prefix="bronze/raw/")
    tables = client.list_objects_v2(Bucket="lake", Prefix="ducklake/")
    assert listed["KeyCount"] > 0
    assert tables["KeyCount"] > 0
    # One question: between two the pointer may move.
    (found,) = running.sql(
        "select sum(landed_rows)::bigint as landed, sum(new_rows)::bigint as distinct_rows, "
        "(select count(*) from gold.training_set) as counted from gold.collection_progress"
    )
    assert found["landed"] > found["distinct_rows"] == found["counted"] > 0


def test_the_run_is_in_mysql_and_its_artefact_in_the_bucket(running: Running) -> None:
    reader = ("reader", running.passwords["mlflow"]["reader"])
    alias = {"name": "canopy-covertype", "alias": "champion"}
    api = f"{local(running.settings.mlflow_port)}/api/2.0/mlflow"
    found = httpx.get(f"{api}/registered-models/alias", params=alias, auth=reader, timeout=30)
    version = found.raise_for_status().json()["model_version"]
    rows = running.mysql(f"select count(*) from mlflow.runs where run_uuid = '{version['run_id']}'")
    assert rows == "1"
    assert {"key": "code_revision", "value": code_revision(TrainingSettings())} in version["tags"]
    artefacts = httpx.get(
        f"{api}/artifacts/list", params={"run_id": version["run_id"]}, auth=reader, timeout=30
    )
    assert artefacts.raise_for_status().json()["files"]


def test_a_row_is_predicted_through_the_api(running: Running) -> None:
    url = f"{local(running.settings.serving_port)}/v1/predictions"
    answer = httpx.post(url, json={"rows": [CELL]}, headers=running.predict_headers, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["model"]["name"] == "canopy-covertype"


def test_a_person_predicts_through_the_ui(running: Running) -> None:
    texts = texts_of("en")
    with chromium() as browser:
        watched = open_page(browser, local(running.settings.ui_port), 1280, "light", texts)
        go_to(watched, "predict")
        watched.page.get_by_role("button", name=texts("predict.submit")).click()
        expect(watched.page.get_by_text("canopy-covertype").first).to_be_visible()
        finish(watched, "stack-predict")


@pytest.mark.parametrize("name", PAGES)
def test_each_page_comes_and_shows_no_error(running: Running, name: str) -> None:
    with chromium() as browser:
        watched = open_page(browser, local(running.settings.ui_port), 1280, "light", texts_of("en"))
        go_to(watched, name)
        finish(watched, f"stack-{name}")


def test_the_monitor_reads_the_tables(running: Running) -> None:
    found = json.loads(running.run_in("monitor", "python", "-m", "deploy.monitor.tables_process", "3"))
    assert found["published_at"]
    assert found["audit"]["is_passed"]
    assert found["champion"]


def test_no_part_ended_in_an_error_that_nobody_foresaw(running: Running) -> None:
    said = running.compose.run("logs", "--no-color", "--no-log-prefix", profiles=("*",))
    traces = [text[:2_000] for text in said.split("Traceback (most recent call last)")[1:]]
    assert traces == []


def test_up_again_changes_nothing(running: Running) -> None:
    def started() -> dict[str, str]:
        one = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
        lines = docker("inspect", "--format", one, *running.compose.run("ps", "--all", "--quiet").split())
        found = dict(line.split(" ", 1) for line in lines.splitlines())
        return {name: when for name, when in found.items() if "-init-" not in name}

    secrets = {file.name: file.read_text() for file in running.secrets.iterdir()}
    before = started()
    running.compose.up(lambda _: None)
    assert started() == before
    assert {file.name: file.read_text() for file in running.secrets.iterdir()} == secrets


def test_the_lake_is_whole(running: Running) -> None:
    assert running.verify()["faults"] == []
