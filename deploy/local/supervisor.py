"""Running the parts under supervisord: one process group each, one log each, stopped together."""

from __future__ import annotations

import http.client
import json
import shlex
import shutil
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from contracts.errors import StackError
from contracts.private_file import write_private
from contracts.rights import OTHERS
from contracts.stack_settings import PROJECT
from deploy.local.control import control
from deploy.local.parts import Service
from deploy.local.start_part import end_processes, processes_of
from deploy.sees import MARK

STOP_WAIT_S = 10
# A part that ends is started again after one, two and three seconds. One that has then stayed up for ten
# minutes is forgiven; one that has not is given up (FATAL).
RESTARTS, FORGIVEN_AFTER_S = 3, 600
PLACE = "SUPERVISED_PLACE"  # the variable that says where the parts run
DEAD = ("EXITED", "FATAL", "UNKNOWN")
# One that is ending may break off within its answer.
UNAVAILABLE = (OSError, xmlrpc.client.Error, http.client.HTTPException, ExpatError)


@dataclass(frozen=True)
class State:
    """How one part is, in supervisord's words.

    RUNNING; BACKOFF while it waits to be started again; FATAL once it is given up; STOPPED while held back.
    """

    part: str
    name: str
    pid: int
    description: str

    @property
    def is_dead(self) -> bool:
        """Returns whether it ended by itself, or could not start, and is not started again."""
        return self.name in DEAD


def temporary_folder(home: Path) -> Path:
    """Returns where the parts have their temporary files: what is killed leaves them to nobody else's
    folder."""
    return home / "run" / "temporary"


class Supervisor:
    """One supervisord for one home folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None  # where this object started it
        self._socket = home / "run" / "supervisor.sock"
        self._temporary = temporary_folder(home)

    def log(self, part: str) -> Path:
        """Returns the file with what a part has said."""
        return self._home / "logs" / f"{part}.log"

    def is_running(self) -> bool:
        """Returns whether a supervisord answers for this home folder.

        Raises: StackError if it is another user's.
        """
        try:
            with control(self._socket) as server:
                return bool(server.getState())
        except UNAVAILABLE:
            return False

    def start(self, parts: Sequence[Service], environment: Mapping[str, str]) -> None:
        """Starts supervisord with all parts, in a session of its own, so that Ctrl-C is ours to answer.

        Raises: StackError if supervisord does not come up.
        """
        configuration = self._home / "run" / "supervisord.conf"
        configuration.parent.mkdir(parents=True, exist_ok=True)
        configuration.parent.chmod(0o700)
        (self._home / "logs").mkdir(exist_ok=True)
        # What is written new follows no link, and waits for no pipe; supervisord itself would do both.
        write_private(configuration, self._configuration(parts))
        write_private(configuration.with_name("supervisord.pid"), "")
        output = self._home / "logs" / "supervisord.out"
        with output.open("ab") as stream:
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(configuration)],
                env={**environment, **_commands(parts), MARK: str(self._home)},
                cwd=configuration.parent,  # its socket is there, deeper perhaps than a path can say
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                umask=OTHERS,
            )
        deadline = time.monotonic() + 20
        while not self.is_running():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"supervisord did not start. Its log is {output}.")
            time.sleep(0.1)

    def start_part(self, name: str) -> None:
        """Starts a part that was held back, or that was given up."""
        with control(self._socket) as server:
            server.startProcess(name, False)

    def states(self) -> list[State]:
        """Returns how every part is; empty if nothing runs."""
        try:
            with control(self._socket) as server:
                infos = server.getAllProcessInfo()
        except UNAVAILABLE:
            return []
        return [_state(info) for info in infos]

    def stop(self) -> None:
        """Ends every part and supervisord itself, and whatever of them outlives that."""
        with suppress(*UNAVAILABLE), control(self._socket) as server:
            # Stopped side by side; shutdown alone would wait for one part after the other.
            server.stopAllProcesses()
            server.shutdown()
        # The children of a part that was killed are nobody's: only their environment tells whose they were.
        end_processes(lambda: processes_of(str(self._home)))
        if self._process is not None:
            self._process.wait()
            self._process = None
        self._socket.unlink(missing_ok=True)
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _configuration(self, parts: Sequence[Service]) -> str:
        # Paths are relative to the folder `run`, or stand in the environment: a folder may have any name,
        # and in here a `#` begins a comment, and a `%` a reference.
        sections = [
            "[supervisord]\nlogfile=../logs/supervisord.log\npidfile=supervisord.pid\nchildlogdir=../logs\n"
            f"[unix_http_server]\nfile=/proc/self/cwd/{self._socket.name}\nchmod=0600\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        ]
        # supervisord counts only the starts that were over within `startsecs`: they are the long ones here.
        sections += [
            f"[program:{part.name}]\ncommand=%(ENV_{_variable(part)})s\ndirectory=%(ENV_{PLACE})s\n"
            f"autostart={str(part.after is None).lower()}\n"
            f"autorestart=true\nstartsecs={FORGIVEN_AFTER_S}\nstartretries={RESTARTS}\n"
            f"redirect_stderr=true\numask=077\nstdout_logfile=../logs/{self.log(part.name).name}\n"
            f"stdout_logfile_maxbytes=10MB\nstopasgroup=true\nkillasgroup=true\nstopwaitsecs={STOP_WAIT_S}\n"
            for part in parts
        ]
        return "\n".join(sections)


def _commands(parts: Sequence[Service]) -> dict[str, str]:
    """Returns how each part is started, and where; a part itself sees none of these."""
    return {PLACE: str(PROJECT), **{_variable(part): _command(part) for part in parts}}


def _variable(part: Service) -> str:
    return f"SUPERVISED_{part.name.upper().replace('-', '_')}"


def _command(part: Service) -> str:
    needs = (json.dumps(part.sees), json.dumps(part.secrets))
    starter = (sys.executable, "-m", "deploy.local.start_part", *needs)
    return shlex.join((*starter, *part.command))


def _state(info: Mapping[str, Any]) -> State:
    name, description = info["statename"], info["spawnerr"] or info["description"]
    if name == "STARTING" and info["pid"]:  # it is up; STARTING only means that it is not forgiven yet
        name = "RUNNING"
        description = f"pid {info['pid']}, uptime {timedelta(seconds=max(0, info['now'] - info['start']))}"
    return State(info["name"], name, info["pid"], description)
