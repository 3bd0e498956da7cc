"""No secret of this stack is where it does not belong: in images, layers, logs, databases, pages or git."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from contracts.private_file import write_private
from contracts.stack_settings import PROJECT
from deploy.containers.settings import write_service_settings
from deploy.sees import CONTAINERS, seen
from tests.deploy.stack.running import Running, docker

POSTGRES = "PGPASSWORD=$(cat /run/secrets/postgres_password) pg_dump --host=postgres --username=postgres"
MYSQL = "MYSQL_PWD=$(cat /run/secrets/mysql_password) mysqldump --host=mysql --user=root --all-databases"
# What the parts write where a person, a page or a backup reads it: (service, its shell command).
WRITTEN = {
    "the logs of Airflow's tasks": ("airflow-scheduler", "tar -C /var/lib/canopy/airflow-logs -c ."),
    "Airflow's database": ("postgres", f"{POSTGRES} airflow"),
    "the lake's catalog": ("postgres", f"{POSTGRES} lake"),
    "MLflow's accounts": ("postgres", f"{POSTGRES} mlflow_accounts"),
    "MLflow's runs": ("mysql", MYSQL),
    "dbt's and the audits' pages": ("docs", "tar -C /var/lib/canopy -c site audits"),
    "the models of the prediction service": ("serving", "tar -C /var/lib/canopy/models -c ."),
}


class Scan:
    """Looks for this stack's secrets in what a command prints."""

    def __init__(self, running: Running, folder: Path) -> None:
        self._names = {
            value: f"{kind}.{name}"
            for kind, all_of in running.passwords.items()
            for name, value in all_of.items()
        }
        self._patterns = folder / "patterns"
        write_private(self._patterns, "\n".join(self._names) + "\n")

    def leaked(self, *command: str) -> set[str]:
        """The names of the secrets in it, its errors included."""
        find = ["grep", "--text", "--only-matching", "--fixed-strings", f"--file={self._patterns}"]
        with subprocess.Popen(
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as printing:
            done = subprocess.run(
                find, stdin=printing.stdout, capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
            )
        assert printing.returncode == 0, f"{command[0]} ended with {printing.returncode}"
        assert done.returncode in (0, 1), done.stderr
        return {self._names[line] for line in done.stdout.splitlines()}


@pytest.fixture
def scan(running: Running, tmp_path: Path) -> Scan:
    """A scan for the secrets of the stack that runs."""
    return Scan(running, tmp_path)


def containers(running: Running) -> list[str]:
    """The ids of all containers."""
    return running.compose.run("ps", "--all", "--quiet", profiles=("*",)).split()


def images(running: Running) -> list[str]:
    """The ids of what they run."""
    return sorted(set(docker("inspect", "--format", "{{.Image}}", *containers(running)).split()))


def test_the_scan_finds_each_secret_where_it_is(running: Running, scan: Scan) -> None:
    known = {f"{kind}.{name}" for kind, all_of in running.passwords.items() for name in all_of}
    assert scan.leaked("cat", str(running.secrets / "passwords.json")) == known


def test_no_secret_is_in_what_the_engine_tells(running: Running, scan: Scan) -> None:
    assert scan.leaked("docker", "inspect", *containers(running), *images(running)) == set()
    assert [one for one in images(running) if scan.leaked("docker", "history", "--no-trunc", one)] == []


def test_no_secret_is_in_a_layer_of_an_image_of_ours(running: Running, scan: Scan) -> None:
    named = docker("inspect", "--format", "{{.Config.Image}}", *containers(running)).split()
    ours = {name for name in named if name.startswith("canopy-")}
    assert len(ours) >= 7
    assert scan.leaked("docker", "save", *ours) == set()


def test_no_secret_is_in_the_log_of_a_part(running: Running, scan: Scan) -> None:
    assert [one for one in containers(running) if scan.leaked("docker", "logs", one)] == []


@pytest.mark.parametrize("place", WRITTEN)
def test_no_secret_is_in_what_the_parts_write(running: Running, scan: Scan, place: str) -> None:
    service, command = WRITTEN[place]
    assert scan.leaked("docker", "exec", running.container(service), "sh", "-c", command) == set()


@pytest.mark.parametrize("command", ["git log --all --patch", "git grep --text -h -e ^"])
def test_no_secret_is_in_git(scan: Scan, command: str) -> None:
    assert scan.leaked(*command.split()) == set()


def test_no_container_holds_a_variable_that_its_part_does_not_see(running: Running) -> None:
    for container in json.loads(docker("inspect", *containers(running))):
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        if service in CONTAINERS:
            (image,) = json.loads(docker("inspect", container["Image"]))
            ours = set(container["Config"]["Env"]) - set(image["Config"]["Env"])
            told = dict(variable.split("=", 1) for variable in ours)
            assert set(told) - set(seen(told, CONTAINERS[service])) == set(), service


def test_compose_reads_a_persons_settings_as_they_were_written(tmp_path: Path) -> None:
    """Whatever a value is made of; and no service has another's."""
    written = {
        "SOURCE_HEADERS": """'{"X-Key": "pa$$word $HOME #1"}'""",
        "ALERT_URLS": r'''"json://a:b'c\\d\"e@127.0.0.1:9/ $HOME"''',
    }
    wanted = {
        "SOURCE_HEADERS": '{"X-Key": "pa$$word $HOME #1"}',
        "ALERT_URLS": r"""json://a:b'c\d"e@127.0.0.1:9/ $HOME""",
    }
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in written.items()))
    write_service_settings(tmp_path / "settings", tmp_path / ".env")
    command = ["docker", "compose", "--profile=*", "config", "--format=json"]
    places = {"CANOPY_SETTINGS": str(tmp_path / "settings"), "CANOPY_SECRETS": str(tmp_path)}
    read = subprocess.run(
        command, cwd=PROJECT, env=os.environ | places, check=True, capture_output=True, text=True
    ).stdout
    for service, told in json.loads(read)["services"].items():
        found = {name: value for name, value in (told.get("environment") or {}).items() if name in wanted}
        mine = seen(wanted, CONTAINERS.get(service, ()))
        assert {name: value.replace("$$", "$") for name, value in found.items()} == mine, service
