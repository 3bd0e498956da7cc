"""`canopy doctor` finds what is wrong and says what to do; each fault here is a real one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from canopy.screens import doctor
from canopy.screens.doctor import Check, examine
from contracts.stack_settings import StackSettings
from deploy.local.parts import parts
from deploy.local.supervisor import Supervisor

Canopy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def look(canopy: Canopy) -> Callable[[], dict[str, dict[str, str]]]:
    def examined() -> dict[str, dict[str, str]]:
        return {check["what"]: check for check in json.loads(canopy("doctor", "--json").stdout)}

    return examined


def test_a_machine_that_is_well_is_well_in_each_respect(canopy: Canopy) -> None:
    ended = canopy("doctor", "--json")
    found = {check["what"]: check["is_well"] for check in json.loads(ended.stdout)}
    wanted = {"Python", "Packages", "DuckDB and its extensions", "Memory", "Disk", "Settings", "Secrets"}
    wanted.add("Confinement")
    assert wanted | {"Object store", "Catalog", "Port of Airflow"} <= set(found)
    assert all(found.values()), ended.stdout
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://store:9000", "any host by UDP"),
        ("http://127.0.0.1:9000", "on any host by TCP alone"),
    ],
)
def test_what_a_question_to_a_store_reaches_is_said(
    monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    assert "Questions and files from outside" in doctor._confinement().found
    monkeypatch.setenv("LAKE_URI", "s3://lake")
    monkeypatch.setenv("LAKE_S3_ENDPOINT_URL", url)
    found = doctor._confinement()
    assert said in found.found
    assert found.is_well


def test_a_setting_that_is_misspelled_or_cannot_be_is_named(
    look: Callable[[], dict[str, dict[str, str]]], environment: dict[str, str]
) -> None:
    environment |= {"SOURCE_PACE": "3"}
    found = look()["Settings"]
    assert not found["is_well"]
    assert "SOURCE_PACE is set and is no setting; SOURCE_PACE_S is" in found["remedy"]
    del environment["SOURCE_PACE"]
    environment["SOURCE_TARGET_COVERAGE"] = "5"
    assert "SOURCE_TARGET_COVERAGE='5' cannot work" in look()["Settings"]["remedy"]


def test_a_file_of_settings_that_cannot_be_read_is_explained_once(
    canopy: Canopy, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_bytes("# se\u00f1al\n".encode("latin-1"))
    before = sorted(tmp_path.rglob("*"))
    found = json.loads(canopy("doctor", "--json", cwd=tmp_path).stdout)
    wrong = [check for check in found if not check["is_well"]]
    assert wrong[0]["what"] == "Settings"
    assert "is not UTF-8" in wrong[0]["remedy"]
    assert {check["remedy"] for check in wrong[1:]} == {"As Settings says."}
    assert sorted(tmp_path.rglob("*")) == before


def test_it_leaves_nothing_where_nothing_was(
    look: Callable[[], dict[str, dict[str, str]]], environment: dict[str, str]
) -> None:
    environment["LAKE_URI"] = f"{environment['CANOPY_HOME']}/deep/lake"
    assert look()["Object store"]["is_well"]
    assert not Path(environment["CANOPY_HOME"]).exists()


def test_a_taken_port_a_wide_secret_and_a_store_in_the_way_are_named(
    look: Callable[[], dict[str, dict[str, str]]], environment: dict[str, str]
) -> None:
    home = Path(environment["CANOPY_HOME"])
    home.mkdir()
    (home / "predict.key").write_text("a key")
    (home / "predict.key").chmod(0o644)
    (home / "lake").write_text("a file where a folder belongs")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment["CANOPY_MLFLOW_PORT"] = str(taken.getsockname()[1])
        found = look()
    for name, remedy in (
        ("Port of MLflow", "CANOPY_MLFLOW_PORT"),
        ("Secrets", f"chmod 600 {home}/predict.key"),
        ("Object store", "LAKE_URI"),
    ):
        assert not found[name]["is_well"]
        assert remedy in found[name]["remedy"]


def test_a_package_that_differs_from_the_lock_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "runtime.txt"
    lock.write_text(
        "typer==0.0.1 \\\n    --hash=sha256:00\nnot-there==2.0 ; python_version >= '3.11' \\\n"
        "pywin32==1 ; sys_platform == 'win32' \\\n"
    )
    monkeypatch.setattr(doctor, "LOCK", lock)
    monkeypatch.chdir(tmp_path)
    found = _find(examine(StackSettings(home=tmp_path / "home")), "Packages")
    assert not found.is_well
    assert "not 0.0.1, and 1 more" in found.found
    assert found.remedy.startswith("Run `make install`")


def test_a_part_that_has_ended_or_does_not_answer_is_named_with_its_log(tmp_path: Path) -> None:
    """Under a real supervisord: one that ends at once, one that runs and answers nobody, one that is well."""
    supervisor = Supervisor(tmp_path)
    settings = StackSettings(home=tmp_path, serving_port=_free(), ui_port=_free(), docs_port=_free())
    python = sys.executable
    programs = {
        "serving": (python, "-c", "raise SystemExit('no model')"),
        "ui": (python, "-c", "import time; time.sleep(600)"),
        "docs": (python, "-m", "deploy.site.serve", "--port", str(settings.docs_port)),
    }
    known = {part.name: part for part in parts(settings)}
    try:
        supervisor.start([replace(known[name], command=made) for name, made in programs.items()], os.environ)
        deadline = time.monotonic() + 60
        while not _find(checks := examine(settings), "Documentation").is_well or _find(
            checks, "Prediction service"
        ).found.startswith("runs"):
            assert time.monotonic() < deadline, checks
            time.sleep(0.3)
    finally:
        supervisor.stop()
    ended, silent = _find(checks, "Prediction service"), _find(checks, "UI")
    assert not ended.is_well
    assert ended.found.startswith(("EXITED", "FATAL", "BACKOFF"))
    assert f"{tmp_path}/logs/serving.log" in ended.remedy
    assert not silent.is_well
    assert "does not say that it is well" in silent.found


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _find(checks: list[Check], what: str) -> Check:
    return next(check for check in checks if check.what == what)
