"""The running stack as its tests see it: addresses, keys, and hands on its containers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx

from canopy.settings import StackSettings
from canopy.stack.airflow_api import AirflowApi
from canopy.stack.compose import Compose
from canopy.stack.environment import local
from contracts.covertype import covertype
from contracts.prediction import EXAMPLE_VALUES

CELL = dict(zip((column.name for column in covertype().features), EXAMPLE_VALUES, strict=True))

CATALOG = """
import json, sys
from lake.catalog import connect
from lake.settings import LakeSettings
with connect(LakeSettings()) as connection:
    print(json.dumps(connection.execute(sys.argv[1]).fetchall()))
"""
KEYS = """
import json, sys
from lake.objects import open_objects
from lake.settings import LakeSettings
print(json.dumps(open_objects(LakeSettings()).keys(sys.argv[1])))
"""


class Running:
    """What the tests do with the stack."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.compose = Compose(settings, profiles=["simulator"])
        self.secrets = settings.folder / "secrets"
        self.passwords: dict[str, dict[str, str]] = json.loads((self.secrets / "passwords.json").read_text())
        self.airflow = AirflowApi(local(settings.airflow_port), "canopy", self.passwords["airflow"]["canopy"])

    @property
    def predict_headers(self) -> dict[str, str]:
        """By whom a prediction is asked for."""
        return {"Authorization": f"Bearer {self.passwords['serving']['predict']}"}

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose.run("ps", "--all", "--quiet", service, profiles=("*",)).strip()

    def kill(self, service: str) -> None:
        """Ends the service's first process with `kill -9`, and with it all others of its container.

        Not by `docker kill`: the engine takes that for a person's wish, and leaves it dead.
        """
        os.kill(int(docker("inspect", "--format", "{{.State.Pid}}", self.container(service))), signal.SIGKILL)

    def run_in(self, service: str, *command: str) -> str:
        """What a command prints in a service's container, with the service's own secrets."""
        entry = ("python", "-m", "canopy.stack.compose_part")
        return self.compose.run("exec", "-T", service, *entry, *command, profiles=("*",))

    def mysql(self, query: str) -> str:
        """What MySQL's administrator reads."""
        command = (
            "mysql",
            "--host=mysql",
            "--user=root",
            "--batch",
            "--skip-column-names",
            f"--execute={query}",
        )
        password = f"MYSQL_PWD={self.passwords['root']['mysql']}"
        return self.compose.run("exec", "-T", "--env", password, "mysql", *command).strip()

    def psql(self, user: str, password: str, database: str, query: str) -> str:
        """What PostgreSQL answers somebody, its refusal included."""
        command = [
            "psql",
            "--host=postgres",
            f"--username={user}",
            f"--dbname={database}",
            "-At",
            f"--command={query}",
        ]
        options = ["--env", f"PGPASSWORD={password}", self.container("postgres")]
        done = subprocess.run(
            ["docker", "exec", *options, *command], capture_output=True, text=True, check=False
        )
        return (done.stdout + done.stderr).strip()

    def sql(self, query: str) -> list[dict[str, Any]]:
        """What the analyst's account reads in the lake."""
        answer = self.compose.run("run", "--rm", "-T", "analyst", "sql", "--json", query, profiles=("*",))
        found: list[dict[str, Any]] = json.loads(answer)
        return found

    def catalog(self, query: str) -> list[list[Any]]:
        """What the transform's account reads in the lake as it is now, published or not."""
        found: list[list[Any]] = last_line(self.run_in("airflow-scheduler", "python", "-c", CATALOG, query))
        return found

    def keys(self, prefix: str) -> list[str]:
        """The keys in the lake's bucket below a prefix."""
        found: list[str] = last_line(self.run_in("airflow-scheduler", "python", "-c", KEYS, prefix))
        return found

    def as_analyst(self, code: str) -> str:
        """What Python code prints that has the analyst's keys."""
        entry = ("python", "-m", "canopy.stack.compose_part", "python", "-c", code)
        return self.compose.run(
            "run", "--rm", "-T", "--entrypoint", entry[0], "analyst", *entry[1:], profiles=("*",)
        )

    @property
    def prometheus_port(self) -> int:
        """Where Prometheus answers on this machine."""
        return int(os.environ.get("CANOPY_PROMETHEUS_PORT", "9090"))

    @property
    def project(self) -> str:
        """What compose calls this stack."""
        return os.environ.get("COMPOSE_PROJECT_NAME", "canopy")

    def verify(self) -> dict[str, Any]:
        """What `canopy lake verify` says of the whole lake."""
        found: dict[str, Any] = json.loads(
            self.run_in("airflow-scheduler", "python", "-m", "canopy", "lake", "verify", "--json")
        )
        return found

    def feed(self) -> None:
        """Has the simulator begin again at its first batch: after ten of them it would have no more."""
        url = "http://127.0.0.1:8010/restart_data_generation?group_number=1"
        code = f"import urllib.request; urllib.request.urlopen({url!r})"
        self.compose.run("exec", "-T", "source", "python", "-c", code)

    def wait_for(self, what: str, is_so: Callable[[], Any], within_s: float) -> Any:
        """Asks again and again, and fails with what was waited for."""
        deadline, last = time.monotonic() + within_s, ""
        while time.monotonic() < deadline:
            try:
                if found := is_so():
                    return found
            except Exception as error:  # whatever is still starting
                last = str(error)
            time.sleep(1)
        raise AssertionError(f"{what} did not come within {within_s:.0f} s. {last}")

    def ready(self) -> bool:
        """Whether the prediction service has a model."""
        return httpx.get(f"{local(self.settings.serving_port)}/ready", timeout=5).is_success


def last_line(printed: str) -> Any:
    """The JSON in the last line of what was printed; DuckDB draws its progress before it."""
    return json.loads(printed.strip().splitlines()[-1])


def docker(*arguments: str) -> str:
    """What one command of the engine prints."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout
