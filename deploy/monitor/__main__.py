"""`python -m deploy.monitor`: a part of both stacks. It looks every `MONITOR_EVERY_S` until it is stopped."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from datetime import UTC, datetime

from contracts.hosts import allowed_hosts
from contracts.outside import log_to_stderr
from contracts.stack_settings import StackSettings
from deploy.monitor.monitor import Monitor, checks_of
from deploy.monitor.page import make_server
from deploy.monitor.settings import MonitorSettings
from deploy.monitor.tables import TablesCheck
from expectations.settings import AlertSettings

logger = logging.getLogger(__name__)


def main() -> None:
    """Looks and serves its page until it is told to end; after its parent was killed it looks once more."""
    stack, settings = StackSettings(), MonitorSettings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=stack.monitor_port)
    given = parser.parse_args()
    log_to_stderr(logging.INFO, "%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request
    stopped, parent = threading.Event(), os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())
    checks = checks_of(stack, settings, datetime.now(UTC))
    monitor = Monitor(checks, settings, AlertSettings())
    server = make_server(monitor, given.host, given.port, allowed_hosts(stack.allowed_hosts))
    listener = server.config.bind_socket()  # not in the thread: without its port the monitor ends
    threading.Thread(target=server.run, args=([listener],), name="page", daemon=True).start()
    while True:
        try:
            monitor.run_checks()
        except Exception:  # the next check may succeed; Prometheus sees that this one did not
            logger.exception("checks_failed")
        if stopped.wait(settings.every_s):
            if os.getppid() == parent:
                break
            parent = os.getppid()  # supervisord was killed, and all parts end: nobody else is left to tell it
    for check in checks:
        if isinstance(check, TablesCheck):
            check.stop()


if __name__ == "__main__":
    main()
