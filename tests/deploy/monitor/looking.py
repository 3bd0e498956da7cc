"""What the monitor's tests share: a lake, looks at chosen moments, pages to look at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deploy.monitor.check import Check, CheckResult, Finding, check_result
from deploy.monitor.kinds import KINDS
from deploy.monitor.monitor import Monitor
from deploy.monitor.settings import MonitorSettings
from expectations.settings import AlertSettings

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
NOBODY = AlertSettings(_env_file=None, urls=None)
Pages = dict[str, tuple[int, bytes]]


def monitor_settings(folder: Path, **values: Any) -> MonitorSettings:
    """Settings that look at nothing of this machine."""
    return MonitorSettings(_env_file=None, folder=folder / "monitor", **values)


def trips(look: Check, kind: str, now: datetime = NOW) -> list[Finding]:
    """What a look finds of a kind; nothing else may be found, and it must know the kind."""
    assert kind in KINDS
    assert kind in look.kinds
    found = look.check(now)
    assert {one.kind for one in found.findings} <= {kind}
    return list(found.findings)


class Says:
    """A look that finds what it is told to find."""

    name, kinds = "what a test says", tuple(KINDS)

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        self.fails = False

    def check(self, _now: datetime) -> CheckResult:
        """See `Check`."""
        if self.fails:
            raise OSError("the disk is gone")
        return check_result(self.findings)


def look_at(monitor: Monitor, *, times: int = 1, began: datetime = NOW, every_s: float = 30) -> datetime:
    """Looks so many times. Returns: when it would look next."""
    for _ in range(times):
        monitor.run_checks(began)
        began += timedelta(seconds=every_s)
    return began


@contextmanager
def pages(found: Pages) -> Iterator[str]:
    """Something that answers these pages; a test may change them meanwhile."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = found.get(self.path.partition("?")[0], (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
