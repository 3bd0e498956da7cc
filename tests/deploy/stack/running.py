"""The running stack as its tests see it: addresses, keys, and hands on its containers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from clients.airflow import AirflowApi
from contracts.covertype import covertype
from contracts.prediction import EXAMPLE_VALUES
from contracts.stack_settings import StackSettings
from deploy.containers.compose import Compose
from deploy.local.environment import local
from lake.catalog.connection import connect
from lake.objects import open_objects
from lake.publish.pointer import latest
from lake.settings import LakeSettings

CELL = dict(zip((column.name for column in covertype().features), EXAMPLE_VALUES, strict=True))


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

        Not by `docker kill`: the engine takes that for a person's wish, and leaves it dead. Returns when the
        engine has started it again; of several containers of a service, the first is killed.
        """
        container = self.container(service).split()[0]
        times = restarts(container)
        os.kill(pid_of(container), signal.SIGKILL)
        self.wait_for(f"a new start of {service}", lambda: restarts(container) > times, 60)

    @contextmanager
    def cut_off(self, service: str) -> Iterator[None]:
        """Drops every packet to and from a service, without a word: who waits for it is left to wait."""
        inside = ["nsenter", f"--target={pid_of(self.container(service))}", "--net", "iptables", "--wait"]
        ways = (["INPUT", "--in-interface"], ["OUTPUT", "--out-interface"])
        rules = [[*way, "eth+", "--jump", "DROP"] for way in ways]
        for rule in rules:
            subprocess.run([*inside, "--append", *rule], check=True)
        try:
            yield
        finally:
            for rule in rules:
                subprocess.run([*inside, "--delete", *rule], check=True)

    def run_in(self, service: str, *command: str) -> str:
        """What a command prints in a service's container, with the service's own secrets."""
        entry = ("python", "-m", "deploy.containers.entrypoint")
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

    def airflow_sql(self, query: str) -> list[str]:
        """Words of what Airflow's own account reads in its database."""
        return self.psql("airflow", self.passwords["database"]["airflow"], "airflow", query).split()

    def sql(self, query: str) -> list[dict[str, Any]]:
        """What the analyst's account reads in the lake."""
        answer = self.compose.run("run", "--rm", "-T", "analyst", "sql", "--json", query, profiles=("*",))
        found: list[dict[str, Any]] = json.loads(answer)
        return found

    def lake(self) -> LakeSettings:
        """The lake with the transform's keys, from this machine: an administrator's way in."""
        network = f"{self.project}_postgres"
        address = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
        host = docker("inspect", "--format", address, self.container("postgres")).strip()
        login = f"user=transform password={self.passwords['catalog']['transform']} connect_timeout=5"
        return LakeSettings(
            uri="s3://lake",
            catalog=f"postgres:host={host} dbname=lake {login}",
            s3_endpoint_url=local(self.settings.s3_port),
            s3_access_key_id="transform",
            s3_secret_access_key=SecretStr(self.passwords["s3"]["transform"]),
        )

    def catalog(self, query: str) -> list[tuple[Any, ...]]:
        """What is read in the lake as it is now, perhaps in the middle of a build."""
        with connect(self.lake()) as connection:
            return connection.execute(query).fetchall()

    def published(self, query: str) -> list[tuple[Any, ...]]:
        """What is read in the lake where the published pointer stands."""
        lake = self.lake()
        pointer = latest(lake)
        assert pointer, "nothing is published"
        with connect(lake, snapshot_id=pointer.snapshot_id) as connection:
            return connection.execute(query).fetchall()

    def keys(self, prefix: str) -> list[str]:
        """The keys in the lake's bucket below a prefix."""
        return open_objects(self.lake()).keys(prefix)

    def as_analyst(self, code: str) -> str:
        """What Python code prints that has the analyst's keys."""
        entry = ("python", "-m", "deploy.containers.entrypoint", "python", "-c", code)
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


def pid_of(container: str) -> int:
    """The first process of a container, as this machine counts."""
    return int(docker("inspect", "--format", "{{.State.Pid}}", container))


def restarts(container: str) -> int:
    """How often the engine has started a container again by itself."""
    return int(docker("inspect", "--format", "{{.RestartCount}}", container))


def last_line(printed: str) -> Any:
    """The JSON in the last line of what was printed; DuckDB draws its progress before it."""
    return json.loads(printed.strip().splitlines()[-1])


def docker(*arguments: str) -> str:
    """What one command of the engine prints."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout
