"""The command line as a person and as a program meet it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from typer.testing import CliRunner

from canopy.cli import app
from contracts.errors import VersionMissing
from contracts.stack_settings import StackSettings
from deploy.local.parts import parts
from deploy.local.supervisor import Supervisor
from lake.bronze.landings import Provenance, keep_raw, refuse
from lake.objects import open_objects
from lake.settings import LakeSettings
from tests.lake.landed import NOON
from training.promote.registry import Registry
from training.settings import TrainingSettings

Canopy = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "canopy"]
# Root may write anywhere, unless it gives that right away.
NOT_AS_ROOT = () if os.geteuid() else ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


def test_help_names_every_command(canopy: Canopy) -> None:
    text = canopy("--help").stdout
    commands = ("demo", "up", "down", "status", "collect", "refine", "train", "predict", "sql", "doctor")
    for command in (*commands, "source", "lake"):
        assert command in text


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("sql", "select 1"), 4, "Run `canopy collect` and `canopy refine` first"),
        (("predict",), 4, "Run `canopy collect` and `canopy refine` first"),
        (("train",), 4, "Run `canopy collect` and `canopy refine` first"),
        (("collect",), 3, "is unavailable"),
        (("source", "restart", "--group", "1"), 2, "Repeat it with --yes"),
        (("predict", "nowhere.json"), 1, "nowhere.json"),
    ],
)
def test_an_error_is_one_message_with_the_remedy_and_a_status_by_kind(
    canopy: Canopy, environment: dict[str, str], arguments: tuple[str, ...], status: int, says: str
) -> None:
    environment |= {"SOURCE_ATTEMPTS": "1"}
    ended = canopy(*arguments)
    assert ended.returncode == status, ended.stderr
    assert says in " ".join(ended.stderr.replace("│", " ").split())
    assert "Traceback" not in ended.stderr


def test_status_and_doctor_speak_to_programs(canopy: Canopy) -> None:
    status = json.loads(canopy("status", "--json").stdout)
    assert status["parts"] == []
    assert status["publication"] is None
    checks = {check["what"]: check["is_well"] for check in json.loads(canopy("doctor", "--json").stdout)}
    assert checks["Python"]
    assert checks["DuckDB and its extensions"]


def test_a_demo_without_its_ports_says_which_and_starts_nothing(
    canopy: Canopy, environment: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment["CANOPY_AIRFLOW_PORT"] = str(port)
        ended = canopy("demo", "--exit")
    assert ended.returncode == 8
    assert f"Airflow needs port {port} of 127.0.0.1" in " ".join(ended.stderr.split())
    assert "CANOPY_AIRFLOW_PORT" in ended.stderr
    assert "Stopping" not in ended.stderr
    assert json.loads(canopy("status", "--json").stdout)["parts"] == []


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("keys", "list"), ("--help",)])
def test_whoever_leaves_before_the_answer_is_told_nothing(
    environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    """The status is that of a program which SIGPIPE has ended, whoever of the libraries has met it."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [*COMMAND, *arguments],
            env=environment,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("keys", "add", "--name", "x"), 2, ("keys.lock", "Give yourself the right to it and to its folder")),
        (("collect",), 4, ("The folder ", "lake cannot be used", "that folder's permissions")),
    ],
)
def test_a_home_that_cannot_be_written_is_a_matter_of_rights(
    environment: dict[str, str], arguments: tuple[str, ...], status: int, says: tuple[str, ...]
) -> None:
    home = Path(environment["CANOPY_HOME"])
    (home / "incoming").mkdir(parents=True)
    home.chmod(0o500)
    try:
        ended = subprocess.run(
            [*NOT_AS_ROOT, *COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=120
        )
    finally:
        home.chmod(0o700)
    said = " ".join(ended.stderr.split())
    assert ended.returncode == status, said
    assert [part for part in says if part not in said] == [], said
    assert "move it away" not in said
    assert "its keys" not in said


@pytest.mark.parametrize("command", [("sql", "select 1"), ("status",)])
def test_a_catalog_whose_database_does_not_answer_is_named_with_its_place(
    canopy: Canopy, environment: dict[str, str], command: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    catalog = f"postgres:host=127.0.0.1 port={port} dbname=lake user=canopy password=word-of-mouth"
    environment["LAKE_CATALOG"] = catalog
    ended = canopy(*command)
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 4
    assert f"the database at 127.0.0.1, port {port}, does not answer (Connection refused). Start it" in said
    assert "LAKE_CATALOG" in said
    assert "move its file away" not in said
    assert "word-of-mouth" not in said


@pytest.mark.parametrize(("arguments", "status"), [(("predict", "nowhere.json"), 1), (("sql", "x"), 4)])
def test_an_error_keeps_its_status_where_nobody_is_told(
    environment: dict[str, str], arguments: tuple[str, ...], status: int
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run([*COMMAND, *arguments], env=environment, stderr=writer, timeout=120)
    finally:
        os.close(writer)
    assert ended.returncode == status


@pytest.mark.parametrize("password", ["fourty/two", "fourty/two@", "12/two", "pa@fourty", "fourty:two/x"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAKE_CATALOG", "postgres:postgresql://u:{}@127.0.0.1:9/db"),
        ("SOURCE_URL", "http://u:{}@127.0.0.1:9"),
    ],
)
def test_no_part_of_a_password_that_splits_an_address_is_shown(
    canopy: Canopy, environment: dict[str, str], name: str, value: str, password: str
) -> None:
    environment[name] = value.format(password)
    ended = canopy("sql", "select 1") if name == "LAKE_CATALOG" else canopy("collect")
    assert ended.returncode in (2, 3, 4)
    assert "Defect" not in ended.stderr
    assert "fourty" not in ended.stderr
    assert "two" not in ended.stderr


@pytest.mark.parametrize("answer", [b"R\0\0\0\x0c\0\0\0\x05salt", b"HTTP/1.0 400 Bad Request\r\n\r\n"])
def test_a_database_that_answers_is_not_said_to_be_down(
    canopy: Canopy, environment: dict[str, str], answer: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with server.accept()[0] as asked:
                        asked.recv(1024)
                        asked.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        catalog = f"postgres:host=127.0.0.1 port={port} dbname=lake user=canopy sslmode=disable"
        environment["LAKE_CATALOG"] = catalog
        ended = canopy("sql", "select 1")
        server.shutdown(socket.SHUT_RDWR)
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 4
    assert "does not answer" not in said
    assert "PGPASSFILE" in said


def test_a_refine_without_a_single_landing_says_so_before_it_builds(
    canopy: Canopy, environment: dict[str, str]
) -> None:
    objects = open_objects(LakeSettings(uri=f"{environment['CANOPY_HOME']}/lake"))
    for number, body in enumerate((b"{", b"[")):
        provenance = Provenance("covertype", 1, NOON, f"request {number}", "http://h/data", "1")
        refuse(objects, keep_raw(objects, body, provenance), "it is not JSON")
    ended = canopy("refine")
    assert ended.returncode == 5, ended.stderr
    said = " ".join(ended.stderr.split())
    assert "Nothing has landed, so there is nothing to publish: all 2 responses were refused" in said
    assert "`canopy collect`" in said
    assert not Path(environment["CANOPY_HOME"], "dbt").exists()


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ([3, 2], "has no version 99; there are 3, 2: name one of those."),
        ([2], "has no version 99; there is 2: name it."),
        ([], "has no version 99; there is none yet: run `canopy train`."),
    ],
)
@pytest.mark.parametrize("command", ["promote", "refuse", "models", "reproduce"])
def test_a_version_that_is_not_there_is_told_from_those_that_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, there: list[int], says: str
) -> None:
    class Client:
        def get_model_version(self, name: str, number: str) -> None:
            raise MlflowException("there is none", RESOURCE_DOES_NOT_EXIST)

        def get_registered_model(self, name: str) -> SimpleNamespace:
            return SimpleNamespace(aliases={}, tags={})

        def search_model_versions(self, wanted: str, page_token: None) -> PagedList[SimpleNamespace]:
            made = {"run_id": "", "tags": {}, "creation_timestamp": 0}
            return PagedList([SimpleNamespace(version=number, **made) for number in there], token=None)

    def connect(registry: Registry, settings: TrainingSettings) -> None:
        registry.model_name, registry.client = settings.model_name, Client()

    monkeypatch.setenv("CANOPY_HOME", str(tmp_path))
    monkeypatch.setattr(Registry, "__init__", connect)
    error = CliRunner().invoke(app, [command, "99"]).exception
    assert isinstance(error, VersionMissing)
    assert error.exit_status == 7
    assert says in str(error)


def test_down_says_what_it_has_stopped(canopy: Canopy, environment: dict[str, str]) -> None:
    home = Path(environment["CANOPY_HOME"])
    assert canopy("down").stdout == f"Nothing ran from {home}.\n"
    sleep = (sys.executable, "-c", "import time; time.sleep(600)")
    supervisor = Supervisor(home)
    known = [part for part in parts(StackSettings(home=home)) if part.name in ("docs", "ui")]
    try:
        supervisor.start([replace(part, command=sleep, after=None) for part in known], os.environ)
        assert canopy("down").stdout in ("Stopped: docs, ui.\n", "Stopped: ui, docs.\n")
    finally:
        supervisor.stop()


def test_a_backup_that_is_refused_is_called_one(canopy: Canopy, tmp_path: Path) -> None:
    ended = canopy("backup", str(tmp_path / "kept"))
    assert ended.returncode == 8
    assert ended.stderr.startswith("BackupRefused: There is no ")
    (tmp_path / "home").mkdir()
    assert canopy("restore", str(tmp_path / "kept")).stderr.startswith("RestoreRefused: ")
