"""The stack in containers: secrets made, images built, every part started and waited for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import EngineFailed, EngineMissing
from contracts.private_file import write_private
from contracts.stack_settings import PROJECT, StackSettings
from deploy.containers.secrets import give_to, make_secrets
from deploy.containers.settings import write_service_settings
from deploy.local.environment import address_environment
from training.report.provenance import code_revision
from training.settings import TrainingSettings

OWNER = 10001  # whom the images name; a person's own stack runs as that person
START_TIMEOUT_S = 900  # the first start makes every database
PARTS = "minio, mysql, postgres, mlflow, airflow, serving, ui, docs, monitor"


@dataclass(frozen=True)
class Service:
    """One container as compose tells of it."""

    name: str
    state: str
    health: str

    @property
    def is_healthy(self) -> bool:
        """Returns whether it runs and says that it is well; the init job has ended."""
        return self.state == "running" and self.health in ("healthy", "")


class Compose:
    """Docker Compose on this project's file."""

    def __init__(self, settings: StackSettings, *, profiles: Sequence[str] = ()) -> None:
        """Args: settings: Where secrets lie; profiles: further parts.

        Which files are composed is Docker's own to say: compose.yaml, compose.override.yaml, COMPOSE_FILE.
        """
        self._variables = settings.folder / "stack.env"
        self._secrets = settings.folder / "secrets"
        self._settings = settings.folder / "settings"
        self._profiles = profiles
        # The command line tells itself where the local stack's parts are; that is nothing to the containers.
        addresses = address_environment(settings)
        self._environment = {
            name: value for name, value in os.environ.items() if addresses.get(name) != value
        }

    def up(self, say: Callable[[str], None]) -> None:
        """Makes what is missing, builds, starts, waits. Done again, it changes nothing.

        Raises: EngineMissing, EngineFailed.
        """
        require_engine()
        self.prepare()
        say("building the images")
        # init is made from Airflow's image: built side by side, each made that once, and the next `up` took
        # the other's for a change of every part that waits for init.
        self.run("build", "airflow-api")
        self.run("build")
        say(f"starting {PARTS}")
        self.run("up", "--detach", "--wait", "--wait-timeout", str(START_TIMEOUT_S))

    def prepare(self) -> None:
        """Makes the secrets, each service's settings, and the file of variables.

        The variables say where these are, who runs the parts, of which code.
        """
        user, group = (OWNER, OWNER) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        make_secrets(self._secrets)
        give_to(self._secrets, user, group)
        write_service_settings(self._settings, PROJECT / ".env")
        revision = code_revision(TrainingSettings())
        variables = {"CANOPY_UID": user, "CANOPY_GID": group, "CANOPY_SECRETS": self._secrets}
        variables |= {"CANOPY_SETTINGS": self._settings, "CANOPY_REVISION": revision}
        write_private(self._variables, "".join(f"{name}={value}\n" for name, value in variables.items()))

    def down(self) -> None:
        """Stops every part; the volumes stay. Raises: EngineFailed."""
        self.run("down", "--remove-orphans", profiles=("*",))

    def services(self) -> list[Service]:
        """Returns what runs. Raises: EngineFailed."""
        lines = self.run("ps", "--all", "--format", "json", profiles=("*",)).splitlines()
        found = [json.loads(line) for line in lines]
        return [Service(entry["Service"], entry["State"], entry["Health"]) for entry in found]

    def run(self, *arguments: str, profiles: Sequence[str] | None = None) -> str:
        """Runs one command of compose, and gives what it printed.

        Raises: EngineFailed with its last lines.
        """
        chosen = self._profiles if profiles is None else profiles
        return self._run(arguments, chosen, stdout=subprocess.PIPE)

    def save(self, file: Path, *arguments: str) -> None:
        """Runs one command, and keeps what it prints in a file. Raises: EngineFailed."""
        with file.open("wb") as stream:
            self._run(arguments, (), stdout=stream)

    def load(self, file: Path, *arguments: str) -> None:
        """Runs one command on what is in a file. Raises: EngineFailed."""
        with file.open("rb") as stream:
            self._run(arguments, (), stdin=stream, stdout=subprocess.DEVNULL)

    def _run(self, arguments: Sequence[str], profiles: Sequence[str], **streams: Any) -> str:
        own = ["--env-file", str(PROJECT / ".env")] if (PROJECT / ".env").is_file() else []
        chosen = [f"--profile={name}" for name in profiles]
        command = ["docker", "compose", *own, "--env-file", str(self._variables), *chosen, *arguments]
        streams |= {"stderr": subprocess.PIPE, "text": True}
        done = subprocess.run(command, cwd=PROJECT, env=self._environment, check=False, **streams)
        said = done.stdout or ""  # a stream of its own takes it all
        if done.returncode:
            raise EngineFailed(f"docker compose {arguments[0]}", (said + done.stderr)[-3000:])
        return said


def require_engine() -> None:
    """Raises: EngineMissing if there is no container engine, or no Compose of version 2."""
    if not shutil.which("docker"):
        raise EngineMissing("the command `docker` is not there")
    for command in (["docker", "compose", "version"], ["docker", "info"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise EngineMissing(f"`{' '.join(command)}` says: {reason[-1] if reason else 'nothing'}")
