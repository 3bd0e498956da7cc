"""Who has no key, a wrong one, or one for something else gets nothing."""

from __future__ import annotations

from typing import Any

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from contracts.errors import EngineFailed
from deploy.local.environment import local
from tests.deploy.stack.running import CELL, Running, docker


def store(running: Running, user: str | None, secret: str = "") -> Any:
    """A client of the store with somebody's key, or with none."""
    keys: dict[str, Any] = {"aws_access_key_id": user, "aws_secret_access_key": secret}
    keys = keys if user else {"config": Config(signature_version=UNSIGNED)}
    return boto3.client("s3", endpoint_url=local(running.settings.s3_port), region_name="us-east-1", **keys)


def refused(call: Any, **arguments: Any) -> bool:
    """Whether the store answers 403."""
    try:
        call(**arguments)
    except ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 403)
    return False


@pytest.mark.parametrize(("user", "secret"), [(None, ""), ("analyst", "wrong"), ("nobody", "wrong")])
def test_the_store_refuses_wrong_keys_and_no_keys(running: Running, user: str | None, secret: str) -> None:
    client = store(running, user, secret)
    for bucket in ("lake", "mlflow"):
        assert refused(client.list_objects_v2, Bucket=bucket)


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ("analyst", "ducklake/x"),
        ("reader", "published/gold.duckdb"),
        ("ingest", "ducklake/x"),
        ("training", "ducklake/x"),
        ("training", "bronze/raw/x"),
        ("transform", "bronze/raw/x"),
        ("serving", "bronze/raw/x"),
    ],
)
def test_a_user_of_the_store_writes_only_what_is_its_own(running: Running, user: str, key: str) -> None:
    client = store(running, user, running.passwords["s3"][user])
    assert refused(client.put_object, Bucket="lake", Key=key, Body=b"x")
    assert refused(client.delete_object, Bucket="lake", Key=key)
    assert refused(client.list_objects_v2, Bucket="mlflow")


def test_nobody_who_asks_the_source_can_delete_what_it_said(running: Running) -> None:
    client = store(running, "ingest", running.passwords["s3"]["ingest"])
    listed = client.list_objects_v2(Bucket="lake", Prefix="bronze/raw/", MaxKeys=1)
    assert refused(client.delete_object, Bucket="lake", Key=listed["Contents"][0]["Key"])


@pytest.mark.parametrize("statement", ["create table gold.x as select 1", "delete from gold.training_set"])
def test_the_analysts_account_cannot_write_through_the_lake(running: Running, statement: str) -> None:
    with pytest.raises(EngineFailed):
        running.sql(statement)


def test_the_analysts_account_cannot_write_past_the_lake(running: Running) -> None:
    for statement in ("delete from ducklake_snapshot", "create table x (y int)", "truncate ducklake_table"):
        said = running.psql("analyst", running.passwords["catalog"]["analyst"], "lake", statement)
        assert "permission denied" in said, statement


@pytest.mark.parametrize(
    ("user", "database"), [("analyst", "airflow"), ("analyst", "mlflow_accounts"), ("airflow", "lake")]
)
def test_a_role_of_postgresql_reaches_its_own_database_only(
    running: Running, user: str, database: str
) -> None:
    password = {**running.passwords["catalog"], **running.passwords["database"]}[user]
    assert "permission denied" in running.psql(user, password, database, "select 1")


def test_a_role_that_reads_is_bounded_by_the_server(running: Running) -> None:
    password = running.passwords["catalog"]["reader"]
    assert "statement timeout" in running.psql("reader", password, "lake", "select pg_sleep(40)")
    limit = "select rolconnlimit from pg_roles where rolname = current_user"
    assert "50" in running.psql("reader", password, "lake", limit)


def test_postgresql_refuses_a_wrong_password(running: Running) -> None:
    assert "password authentication failed" in running.psql("analyst", "wrong", "lake", "select 1")


@pytest.mark.parametrize("service", ["postgres", "mysql"])
def test_a_database_has_no_port_on_this_machine_and_no_way_out(running: Running, service: str) -> None:
    ports = docker("inspect", "--format", "{{json .HostConfig.PortBindings}}", running.container(service))
    networks = docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", running.container(service))
    assert ports.strip() in ("{}", "null")
    assert f"canopy-test_{service}" in networks or f"_{service}" in networks
    assert "_web" not in networks


@pytest.mark.parametrize(
    ("service", "address"), [("serving", "postgres"), ("serving", "mysql"), ("ui", "mysql")]
)
def test_a_part_does_not_even_see_a_database_that_it_does_not_use(
    running: Running, service: str, address: str
) -> None:
    code = f"import socket; socket.gethostbyname({address!r})"
    with pytest.raises(EngineFailed, match="gaierror"):
        running.compose.run("exec", "-T", service, "python", "-c", code, profiles=("*",))


def test_airflow_refuses_strangers(running: Running) -> None:
    url = local(running.settings.airflow_port)
    wrong = {"username": "canopy", "password": "wrong"}
    assert httpx.post(f"{url}/auth/token", json=wrong, timeout=30).status_code == 401
    assert httpx.get(f"{url}/api/v2/dags", timeout=30).status_code == 401
    forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
    assert httpx.get(f"{url}/api/v2/dags", headers=forged, timeout=30).status_code in (401, 403)


def test_mlflow_refuses_strangers_and_lets_a_reader_only_read(running: Running) -> None:
    api = f"{local(running.settings.mlflow_port)}/api/2.0/mlflow"
    search = f"{api}/registered-models/search"
    assert httpx.get(search, timeout=30).status_code == 401
    assert httpx.get(search, auth=("reader", "wrong"), timeout=30).status_code == 401
    reader = ("reader", running.passwords["mlflow"]["reader"])
    assert httpx.get(search, auth=reader, timeout=30).status_code == 200
    moved = {"name": "canopy-covertype", "alias": "champion", "version": "1"}
    answer = httpx.post(f"{api}/registered-models/alias", json=moved, auth=reader, timeout=30)
    assert answer.status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_the_prediction_service_refuses_strangers(running: Running, headers: dict[str, str]) -> None:
    url = f"{local(running.settings.serving_port)}/v1/predictions"
    assert httpx.post(url, json={"rows": [CELL]}, headers=headers, timeout=30).status_code == 401
