"""The three sites under one address: the documentation, dbt's pages at /dbt/, the audits' at /audits/.

`python -m deploy.site.serve` is a part of the local stack. The documentation is built when it is first asked
for: the parts that start beside this one need both cores.
"""

from __future__ import annotations

import argparse
import html
import logging
import os
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from contracts.errors import CanopyError
from contracts.hosts import OWN, allowed_hosts
from contracts.outside import log_to_stderr, shown
from contracts.rights import keep_private
from contracts.stack_settings import StackSettings
from deploy.access.guarded import BoundedServer, GuardedHandler
from deploy.site.build import are_current, build_pages
from expectations.settings import AuditSettings

logger = logging.getLogger(__name__)

HEALTH = "/live"
ABSENT = {
    "/dbt/": "The tables are not described yet. `canopy lake docs` does it; Airflow does it each night.",
    "/audits/": "Nothing has been audited yet. `canopy refine` audits what it has built.",
}


class Sites:
    """Where the files of each site lie."""

    def __init__(self, pages: Path, dbt: Path, audits: Path) -> None:
        self.pages = pages
        self.folders = {"/dbt/": dbt, "/audits/": audits}
        self._building = Lock()

    def find(self, path: str) -> tuple[str, Path, str]:
        """The site of a path: where it begins, its folder, the rest of the path."""
        for prefix, folder in self.folders.items():
            if f"{path}/".startswith(prefix):
                return prefix, folder, path[len(prefix) :]
        return "/", self.pages, path[1:]

    def build(self) -> None:
        """Builds the documentation unless it is there and current. Raises: CanopyError."""
        with self._building:
            if not are_current(self.pages):
                build_pages(self.pages)


class _Handler(GuardedHandler, SimpleHTTPRequestHandler):
    """Files of the three sites; it reads, and answers nothing but GET and HEAD."""

    def __init__(self, *arguments: Any, sites: Sites, allowed: frozenset[str]) -> None:
        self._sites = sites
        self.allowed = allowed
        super().__init__(*arguments)

    def send_head(self) -> Any:
        """Finds the file, or says what is missing and which command makes it."""
        path = urlsplit(self.path).path
        if path == HEALTH:
            return self._say(HTTPStatus.OK, "Well.")
        prefix, folder, rest = self._sites.find(path)
        if prefix == "/" and (not rest or rest.endswith(("/", ".html"))):
            try:
                self._sites.build()
            except CanopyError as error:
                return self._say(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        elif prefix != "/" and not (folder / "index.html").is_file():
            return self._say(HTTPStatus.NOT_FOUND, ABSENT[prefix])
        file = Path(self.translate_path(self.path))
        if os.path.lexists(file) and not (file.is_file() or file.is_dir()):
            return self.send_error(HTTPStatus.NOT_FOUND)  # to open a pipe would take a thread for good
        return super().send_head()

    def translate_path(self, path: str) -> str:
        """The file of a path, in the folder of its site."""
        _, folder, rest = self._sites.find(urlsplit(path).path)
        self.directory = str(folder)
        return super().translate_path(f"/{rest}")

    def list_directory(self, _path: Any) -> Any:
        """Folders are not listed."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Logs one line a request, in the part's log, whatever stands in the request."""
        logger.info("%s", shown(format % arguments))

    def _say(self, status: HTTPStatus, text: str) -> BytesIO:
        body = f"<!doctype html><title>Canopy</title><p>{html.escape(text)}</p>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return BytesIO(body)


def make_server(sites: Sites, host: str, port: int, allowed: frozenset[str] = OWN) -> BoundedServer:
    """A server that listens and has yet to be run."""
    return BoundedServer((host, port), partial(_Handler, sites=sites, allowed=allowed))


def main() -> None:
    """Serves until it is stopped."""
    keep_private()
    settings = StackSettings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=settings.docs_port)
    parser.add_argument("--pages", type=Path, default=settings.pages_folder)
    given = parser.parse_args()
    sites = Sites(given.pages, settings.dbt_docs_folder, AuditSettings().folder / "docs")
    log_to_stderr(logging.INFO, "%(asctime)s %(message)s")
    with make_server(sites, given.host, given.port, allowed_hosts(settings.allowed_hosts)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
