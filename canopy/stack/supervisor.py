"""Running the parts under supervisord: one process group each, one log each, stopped together."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from canopy.settings import PROJECT
from canopy.stack.parts import Part
from contracts.errors import StackError

STOP_WAIT_S = 10
MARK = "CANOPY_STACK"
DEAD = ("EXITED", "FATAL", "BACKOFF", "UNKNOWN")


@dataclass(frozen=True)
class State:
    """How one part is, in supervisord's words (RUNNING, STARTING, STOPPED, EXITED, FATAL)."""

    part: str
    name: str
    pid: int
    description: str

    @property
    def is_dead(self) -> bool:
        """Whether it ended by itself, or could not start."""
        return self.name in DEAD


class Supervisor:
    """One supervisord for one home folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None  # where this object started it
        # A socket's path may have 107 bytes at most, and a home folder may be deep.
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        self._socket = Path(tempfile.gettempdir()) / f"canopy-{os.getuid()}-{digest}.sock"

    def log(self, part: str) -> Path:
        """The file with what a part has said."""
        return self._home / "logs" / f"{part}.log"

    def is_running(self) -> bool:
        """Whether a supervisord answers for this home folder."""
        try:
            with self._server() as server:
                return bool(server.getState())
        except (OSError, xmlrpc.client.Error):
            return False

    def start(self, parts: Sequence[Part], environment: Mapping[str, str]) -> None:
        """Starts supervisord with all parts, in a session of its own, so that Ctrl-C is ours to answer.

        Raises: StackError if supervisord does not come up.
        """
        configuration = self._home / "run" / "supervisord.conf"
        configuration.parent.mkdir(parents=True, exist_ok=True)
        (self._home / "logs").mkdir(exist_ok=True)
        configuration.write_text(self._configuration(parts))
        output = self._home / "logs" / "supervisord.out"
        with output.open("ab") as stream:
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(configuration)],
                env={**environment, MARK: str(self._home)},
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while not self.is_running():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"supervisord did not start. Its log is {output}.")
            time.sleep(0.1)

    def start_part(self, name: str) -> None:
        """Starts a part that was held back."""
        with self._server() as server:
            server.startProcess(name, False)

    def states(self) -> list[State]:
        """How every part is; empty if nothing runs."""
        try:
            with self._server() as server:
                infos = server.getAllProcessInfo()
        except (OSError, xmlrpc.client.Error):
            return []
        return [State(i["name"], i["statename"], i["pid"], i["spawnerr"] or i["description"]) for i in infos]

    def stop(self) -> None:
        """Ends every part and supervisord itself, and whatever of them outlives that."""
        with suppress(OSError, xmlrpc.client.Error), self._server() as server:
            # Stopped side by side; shutdown alone would wait for one part after the other.
            server.stopAllProcesses()
            server.shutdown()
        # The children of a part that was killed are nobody's: only their environment tells whose they were.
        left = self._left()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            _, left = psutil.wait_procs(left, timeout=5)
        if self._process is not None:
            self._process.wait()
            self._process = None
        self._socket.unlink(missing_ok=True)

    def _left(self) -> list[psutil.Process]:
        """Every process that was started for this home folder."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(MARK) == str(self._home):
                    found.append(process)
        return found

    @contextmanager
    def _server(self) -> Iterator[Any]:
        """supervisord's own interface. Raises: FileNotFoundError if none runs for this home folder."""
        self._socket.stat()  # a failed connection would leave an open socket behind
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor
        finally:
            transport.close()

    def _configuration(self, parts: Sequence[Part]) -> str:
        logs = self._home / "logs"
        sections = [
            f"[supervisord]\nlogfile={logs}/supervisord.log\npidfile={self._home}/run/supervisord.pid\nchildlogdir={logs}\n"
            f"[unix_http_server]\nfile={self._socket}\nchmod=0600\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        ]
        sections += [
            f"[program:{part.name}]\ncommand={_escaped(part.command)}\nautorestart=false\nstartsecs=1\n"
            f"autostart={str(part.after is None).lower()}\n"
            f"startretries=0\nredirect_stderr=true\nstdout_logfile={self.log(part.name)}\n"
            f"stdout_logfile_maxbytes=10MB\nstopasgroup=true\nkillasgroup=true\nstopwaitsecs={STOP_WAIT_S}\n"
            for part in parts
        ]
        return "\n".join(sections)


def _escaped(command: Sequence[str]) -> str:
    return shlex.join(command).replace("%", "%%")
