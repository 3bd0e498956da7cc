"""Each image has the packages that its part imports, out of a lock of its own, and none of another part."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.utils import canonicalize_name

from contracts.stack_settings import PROJECT

OURS = {found.parent.name for found in PROJECT.glob("*/__init__.py")} | {"dags"}
# What runs in an image, by its lock: modules, and folders of them.
RUNS = {
    "airflow": (
        "dags",
        "deploy.servers.airflow_api_server",
        "deploy.servers.airflow_plugins",
        "deploy.servers.airflow_scheduler",
        "deploy.containers.init",
        "training",
    ),
    "docs": ("deploy.site.serve", "deploy.access.door"),
    "mlflow": ("deploy.servers.mlflow_server", "deploy.servers.bounded_server"),
    "monitor": ("deploy.monitor",),
    "serving": ("serving", "canopy.commands.keys"),
    "source": ("source.simulator",),
    "ui": ("ui",),
}
ENTRYPOINT = "deploy.containers.entrypoint"
# What an image never does: dbt's environment without dbt's manifest, the commands of the parts of a stack
# without containers, what cleans Airflow's history, the extra.
NOT_THERE = {
    "airflow": {"training.fit.candidates.lightgbm"},
    "docs": {"lake.dbt.environment"},
    "mlflow": {"lake.dbt.environment"},
    "monitor": {
        "deploy.servers.airflow_api_server",
        "deploy.servers.airflow_scheduler",
        "deploy.servers.mlflow_server",
        "source.simulator",
    },
    "serving": {"lake.dbt.environment", "lake.catalog.settled"},
    "source": {"lake.dbt.environment"},
}
HEAVY = {
    "apache-airflow",
    "apache-airflow-core",
    "astronomer-cosmos",
    "dbt-core",
    "great-expectations",
    "streamlit",
}
MODELS = {"mlflow", "mlflow-skinny", "scikit-learn", "optuna", "matplotlib"}
LAKE = {"duckdb", "duckdb-extension-ducklake", "psycopg2-binary"}
SERVER = {"fastapi", "onnxruntime", "numba", "pyarrow"}
WITHOUT = {
    "airflow": {"streamlit", "numba", "mkdocs", "mkdocs-material", "supervisor"},
    "docs": HEAVY | MODELS | LAKE | SERVER | {"mkdocs", "mkdocs-material"},
    "mlflow": HEAVY | {"duckdb", "onnxruntime", "numba", "optuna"},
    "monitor": HEAVY | MODELS | SERVER - {"pyarrow"},
    "serving": HEAVY | MODELS | LAKE,
    "source": HEAVY | MODELS | LAKE | {"onnxruntime", "numba"},
    "ui": HEAVY - {"streamlit"} | MODELS | {"fastapi", "onnxruntime", "numba"},
}
# What each part is begun with, on the packages of its lock alone.
PREPARED = """
from importlib import import_module
from deploy.servers.airflow_scheduler import LOADED
for name in (*LOADED, "deploy.containers.init", "training.train", "pipeline.learn"):
    import_module(name)
"""
# DuckDB asks for packages of others as it gives a value: it requires none of them.
VALUES = """
import duckdb
duckdb.execute("set timezone = 'UTC'")
print(duckdb.execute(
    "select now(), now()::timestamp, current_date, '12:00'::time, '12:00:00+01'::timetz, interval 1 day, "
    "1.5::decimal(9, 2), uuid(), [now()], {'at': now()}, map {'at': now()}, 'blob'::blob, 1::hugeint"
).fetchall())
"""
BEGINS = {
    "airflow": (("-c", PREPARED), ("-m", "canopy", "lake", "manifest")),
    "docs": (("-c", "import deploy.site.serve, deploy.access.door"),),
    "mlflow": (
        ("-c", "import deploy.servers.mlflow_server, deploy.servers.bounded_server, mlflow.server.auth"),
    ),
    "monitor": (("-c", "import deploy.monitor.page, deploy.monitor.tables_process, apprise"),),
    "pages": (("-m", "canopy", "docs", "made"),),
    "serving": (
        ("-c", "import serving.http.app, serving.engine.preparing, serving.log.untrusted"),
        ("-m", "canopy", "keys", "list"),
    ),
    "source": (("-c", "import source.simulator.server"),),
    "ui": (("-c", "import ui.__main__, ui.server, ui.app"),),
}
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^\s;\\]+)", re.MULTILINE)
MODULE = re.compile(rf"(?:{'|'.join(sorted(OURS))})(?:\.\w+)+(?::\w+)?")


def pins(lock: str) -> set[tuple[str, str]]:
    text = (PROJECT / "requirements" / f"{lock}.txt").read_text()
    return {(canonicalize_name(name), version) for name, version in PIN.findall(text)}


def names(lock: str) -> set[str]:
    return {name for name, _ in pins(lock)}


def file_of(module: str) -> Path | None:
    place = PROJECT.joinpath(*module.split("."))
    found = [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    return found[0] if found else None


@cache
def imported(module: str) -> frozenset[str]:
    """What a module of ours imports, at once, within functions, or by a name that it hands to a process."""
    file = file_of(module)
    assert file is not None
    return frozenset(_imports(ast.parse(file.read_text())))


def _imports(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (name.name for name in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{name.name}" for name in child.names)
        elif (
            isinstance(child, ast.Constant) and isinstance(child.value, str) and MODULE.fullmatch(child.value)
        ):
            yield child.value.partition(":")[0]
        yield from _imports(child)


def modules_in(run: str) -> list[str]:
    folder = PROJECT.joinpath(*run.split("."))
    if not folder.is_dir():
        return [run]
    return [".".join(file.relative_to(PROJECT).with_suffix("").parts) for file in folder.rglob("*.py")]


def foreign(part: str) -> dict[str, str]:
    """The packages of others that a part's modules import, each with one of those modules."""
    todo = [module for run in (*RUNS[part], ENTRYPOINT) for module in modules_in(run)]
    seen: set[str] = set(NOT_THERE.get(part, ()))
    found: dict[str, str] = {}
    while todo:
        module = todo.pop().removesuffix(".__init__")
        if module in seen or file_of(module) is None:
            continue
        seen.add(module)
        for name in imported(module):
            top = name.partition(".")[0]
            if top in OURS:
                todo += [name, name.rpartition(".")[0]]
            elif top not in sys.stdlib_module_names:
                found.setdefault(top, module)
    return found


@pytest.mark.parametrize("part", RUNS)
def test_a_part_s_lock_has_all_that_its_modules_import(part: str) -> None:
    locked, of = names(part), packages_distributions()
    missing = {
        top: module
        for top, module in foreign(part).items()
        if not {canonicalize_name(name) for name in of[top]} & locked
    }
    assert missing == {}


@pytest.mark.parametrize("part", RUNS)
def test_who_reads_tables_can_read_times(part: str) -> None:
    assert "duckdb" not in names(part) or "pytz" in names(part)


@pytest.mark.parametrize("part", WITHOUT)
def test_a_part_s_lock_has_nothing_of_another_part(part: str) -> None:
    assert WITHOUT[part] - names("runtime") == set(), "no such package is locked at all"
    assert names(part) & WITHOUT[part] == set()


@pytest.mark.parametrize("part", [*RUNS, "pages"])
def test_a_part_has_the_versions_that_one_environment_with_everything_has(part: str) -> None:
    assert pins(part) - pins("runtime") == set()


def test_each_image_is_made_from_the_lock_of_its_part() -> None:
    text = (PROJECT / "Dockerfile").read_text()
    bodies = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM|\Z)", text, re.M | re.S))
    for part in (*RUNS, "pages"):
        assert f"COPY requirements/{part}.txt /build/" in bodies[f"{part}-packages"]
        assert f"/build/environment {part}\n" in bodies[f"{part}-packages"]
        assert re.findall(r"--from=(\S+)-packages", bodies[part]) == [part]
    services = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    targets = {service["build"]["target"] for service in services.values() if "build" in service}
    assert targets == {*RUNS, "init"}
    assert "\nFROM airflow AS init\n" in text


@pytest.mark.long
@pytest.mark.parametrize("part", BEGINS)
def test_a_part_begins_on_the_packages_of_its_lock_alone(part: str, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    uv = PROJECT / ".tools" / "bin" / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, python.parents[1]], check=True)
    lock = PROJECT / "requirements" / f"{part}.txt"
    install = [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock]
    subprocess.run(install, check=True)
    # The project's own name and version, which an image has in /opt/metadata.
    said = tmp_path / "metadata" / "canopy-0.1.0.dist-info" / "METADATA"
    said.parent.mkdir(parents=True)
    said.write_text("Metadata-Version: 2.1\nName: canopy\nVersion: 0.1.0\n")
    environment = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CANOPY_HOME": str(tmp_path / "home"),
        "PYTHONPATH": f"{PROJECT}:{said.parents[1]}",
    }
    values = [("-c", VALUES)] if "duckdb" in names(part) else []
    for arguments in (("-c", f"import {ENTRYPOINT}"), *BEGINS[part], *values):
        done = subprocess.run(
            [python, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
    installed = {
        canonicalize_name(path.name.split("-")[0]) for path in python.parents[1].rglob("*.dist-info")
    }
    assert installed & WITHOUT.get(part, set()) == set()
