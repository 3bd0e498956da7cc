"""The stack in containers as far as it can be checked without an engine: file, secrets, policies."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from contracts.errors import SettingsFileUnreadable
from contracts.stack_settings import PROJECT
from deploy.containers.secrets import S3_USERS, make_secrets
from deploy.containers.settings import write_service_settings
from deploy.containers.store import policies
from deploy.sees import CONTAINERS, seen
from pipeline.role import secrets_of_part

FILE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: service for name, service in SERVICES.items() if "canopy-" in service["image"]}
DATABASES = {"postgres", "mysql", "redis"}
TASKS = {"airflow-scheduler", "airflow-worker"}
READ_THE_LAKE = {*TASKS, "airflow-dag-processor", "analyst", "init", "monitor", "serving", "ui"}
# Who must see a setting that may hold a secret; nobody else may.
SECRET_SETTINGS = {
    "ALERT_URLS": {*TASKS, "airflow-dag-processor", "monitor"},
    "LAKE_S3_SECRET_ACCESS_KEY": READ_THE_LAKE,
    "SOURCE_HEADERS": TASKS,
    "SOURCE_DAYS_HEADERS": TASKS,
    "SOURCE_PARAMETERS": TASKS,
    "SOURCE_URL": TASKS,
    "TRAINING_GATE_KEY": TASKS,
    "SERVING_RATE_STORAGE": {"serving"},
    "AIRFLOW__SMTP__SMTP_PASSWORD": set(),
    "MLFLOW_TRACKING_PASSWORD": set(),
    "OTHER_PROJECTS_TOKEN": set(),
    "CANOPY_HOME": set(),
    "PATH": set(),
}


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_bounded_and_starts_again(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["pids_limit"] > 0
    assert service["logging"]["options"]["max-size"] == "10m"
    assert service["restart"] in ("unless-stopped", "on-failure:3", "no")
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_port_is_on_this_machine_only_unless_a_person_says_otherwise(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith(("127.0.0.1:", "${CANOPY_PROXY_ADDRESS:-127.0.0.1}:"))


def test_no_port_is_of_a_part_that_asks_nobody_who_they_are() -> None:
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    theirs = published - set(OURS)
    assert theirs == {"minio", "grafana", "proxy"}  # each asks for keys or a sign-in
    grafana = SERVICES["grafana"]
    (port,) = grafana["ports"]
    host, _, number = port.rpartition(":")[0].partition(":")
    assert grafana["environment"]["GF_SERVER_ENFORCE_DOMAIN"] == "true"
    assert grafana["environment"]["GF_SERVER_DOMAIN"] == host
    assert grafana["environment"]["GF_SERVER_ROOT_URL"] == f"http://{host}:{number}/"


@pytest.mark.parametrize("name", OURS)
def test_our_own_parts_have_no_rights_and_write_nowhere_but_where_they_must(name: str) -> None:
    assert OURS[name]["read_only"] is True
    assert OURS[name]["user"] == "${CANOPY_UID:-10001}:${CANOPY_GID:-10001}"


def test_each_of_our_services_gets_its_own_settings_and_none_of_the_others_any() -> None:
    assert set(OURS) == set(CONTAINERS)
    for name, service in SERVICES.items():
        path = f"${{CANOPY_SETTINGS:-./.canopy/settings}}/{name}.env"
        wanted = [{"path": path, "required": False}] if name in OURS else None
        assert service.get("env_file") == wanted, name


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_service_is_told_nothing_that_it_does_not_see(name: str) -> None:
    told = SERVICES[name].get("environment", {})
    assert set(told) - set(seen(told, CONTAINERS[name])) == set()


def test_of_a_persons_settings_each_service_gets_those_that_it_reads(tmp_path: Path) -> None:
    values = {
        **{name: f"value of {name}" for name in SECRET_SETTINGS},
        "TRAINING_PARAMETERS": '{"trees": 60}',
        "CANOPY_COLLECT_EVERY_S": "20",
        "HTTPS_PROXY": "http://192.0.2.1:3128",
    }
    (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
    write_service_settings(tmp_path / "settings", tmp_path / ".env")
    written = {name: dotenv_values(tmp_path / "settings" / f"{name}.env") for name in CONTAINERS}
    assert {file.stem for file in (tmp_path / "settings").iterdir()} == set(CONTAINERS)
    for name, services in SECRET_SETTINGS.items():
        assert {service for service, found in written.items() if name in found} == services, name
    assert {found["HTTPS_PROXY"] for found in written.values()} == {values["HTTPS_PROXY"]}
    assert written["airflow-scheduler"]["TRAINING_PARAMETERS"] == values["TRAINING_PARAMETERS"]
    assert written["monitor"]["CANOPY_COLLECT_EVERY_S"] == "20"


def test_files_of_settings_are_their_owners_alone_and_hold_nothing_that_is_gone(tmp_path: Path) -> None:
    folder, file = tmp_path / "settings", tmp_path / ".env"
    file.write_text("ALERT_URLS=json://127.0.0.1:9/\n")
    write_service_settings(folder, file)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(found.stat().st_mode) for found in folder.iterdir()} == {0o600}
    file.unlink()
    write_service_settings(folder, file)
    assert {found.read_text() for found in folder.iterdir()} == {""}


def test_settings_that_are_no_text_are_refused_by_their_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOURCE_GROUPS=1\n", encoding="utf-16")
    with pytest.raises(SettingsFileUnreadable, match="UTF-16"):
        write_service_settings(tmp_path / "settings", tmp_path / ".env")


def test_databases_are_on_networks_without_a_way_out_and_without_ports() -> None:
    for name in DATABASES:
        assert "ports" not in SERVICES[name]
        assert all(FILE["networks"][network]["internal"] for network in SERVICES[name]["networks"])


def test_only_who_needs_a_database_shares_its_network() -> None:
    sees = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert {name for name, networks in sees.items() if "mysql" in networks} == {"mysql", "init", "mlflow"}
    blind = {name for name, networks in sees.items() if "postgres" not in networks}
    assert {"serving", "docs", "source", "proxy", "grafana", "prometheus", "minio", "mysql"} <= blind


def test_no_variable_of_the_file_is_a_secret() -> None:
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            is_secret = re.search(r"PASSWORD|SECRET|TOKEN|_KEY\b", variable)
            assert not is_secret or variable.endswith(("_FILE", "__FILE")), f"{name}: {variable}"


def test_each_secret_that_the_file_names_is_made(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    named = {Path(secret["file"]).name for secret in FILE["secrets"].values()}
    assert named == {file.name for file in tmp_path.iterdir()}


def test_secrets_are_their_owners_alone_differ_and_stay_when_they_are_made_again(tmp_path: Path) -> None:
    folder, other = tmp_path / "one", tmp_path / "other"
    make_secrets(folder)
    make_secrets(other)
    first = {file.name: file.read_text() for file in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert not {file.read_text() for file in other.iterdir()} & set(first.values())
    make_secrets(folder)
    assert {file.name: file.read_text() for file in folder.iterdir()} == first


def test_a_new_version_adds_its_secrets_and_keeps_those_that_are_there(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    file = tmp_path / "passwords.json"
    passwords = json.loads(file.read_text())
    kept = passwords["s3"]["ingest"]
    del passwords["s3"]["analyst"]
    file.write_text(json.dumps(passwords))
    make_secrets(tmp_path)
    again = json.loads(file.read_text())
    assert again["s3"]["ingest"] == kept
    assert len(again["s3"]["analyst"]) >= 32


def test_a_part_reads_its_secrets_as_they_were_written(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    passwords = json.loads((tmp_path / "passwords.json").read_text())
    found = secrets_of_part(tmp_path)
    assert found["AIRFLOW__CORE__FERNET_KEY"] == passwords["airflow"]["fernet"]
    assert found["AWS_SECRET_ACCESS_KEY"] == passwords["s3"]["mlflow"]


def test_each_user_of_the_store_has_a_policy_and_none_may_do_everything() -> None:
    documents = policies("lake", "mlflow")
    assert set(documents) == set(S3_USERS)
    for user, document in documents.items():
        for statement in document["Statement"]:
            assert "s3:*" not in statement["Action"], user
            assert not any(resource.endswith(":::*") for resource in statement["Resource"]), user


@pytest.mark.parametrize("user", ["training", "serving", "reader", "analyst"])
def test_only_ingest_the_transform_and_mlflow_may_delete(user: str) -> None:
    assert "s3:DeleteObject" not in json.dumps(policies("lake", "mlflow")[user])


@pytest.mark.parametrize("user", ["ingest", "transform"])
def test_nobody_may_delete_a_response_or_what_was_set_aside(user: str) -> None:
    folders = {
        resource.removeprefix("arn:aws:s3:::lake/")
        for statement in policies("lake", "mlflow")[user]["Statement"]
        if "s3:DeleteObject" in statement["Action"]
        for resource in statement["Resource"]
    }
    assert "bronze/rows/*" in folders
    assert not folders & {"*", "bronze/*", "bronze/raw/*", "quarantine/*", "bronze/held/*"}


@pytest.mark.parametrize("user", ["reader", "analyst"])
def test_readers_may_not_write(user: str) -> None:
    assert "s3:PutObject" not in json.dumps(policies("lake", "mlflow")[user])


def test_an_image_has_every_package_of_the_project() -> None:
    """A package that is not let through is found missing only by the part that imports it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {f"!{name}" for name in packages} <= set((PROJECT / ".dockerignore").read_text().split())
