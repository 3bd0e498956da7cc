"""The command line as a person and as a program meet it."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable

import pytest

Canopy = Callable[..., subprocess.CompletedProcess[str]]


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
    assert json.loads(canopy("status", "--json").stdout)["parts"] == []
