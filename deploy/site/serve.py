"""The three sites under one address: the documentation, dbt's pages at /dbt/, the audits' at /audits/.

`python -m deploy.site.serve` is a part of the local stack. The documentation is built when it is first asked
for: the parts that start beside this one need both cores.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import logging
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from contracts.errors import CanopyError
from contracts.hosts import allowed_hosts
from contracts.outside import log_to_stderr
from contracts.rights import keep_private
from contracts.stack_settings import StackSettings
from deploy.access.server import bounded_server, run
from deploy.site.build import build_unless_current
from expectations.settings import AuditSettings


class Site(StaticFiles):
    """A folder of pages that others make; it may not be there yet."""

    def __init__(self, folder: Path, absent: str = "") -> None:
        """Takes the folder, and what is said while it has no first page."""
        super().__init__(directory=folder, html=True, check_dir=False)
        self.folder, self._absent = folder, absent

    async def check_config(self) -> None:
        """Lets the folder be made later."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Finds a file, or says which command makes it."""
        if self._absent and not (self.folder / "index.html").is_file():
            return _say(404, self._absent)
        response = await super().get_response(path, scope)
        if isinstance(response, RedirectResponse):  # not whole: the proxy has another scheme and port
            response.headers["location"] = f"./{quote(Path(path).name)}/"
        return response

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Finds a file within the folder; one that cannot be read is not there."""
        with suppress(OSError):
            file, found = super().lookup_path(path)
            if os.access(file, os.R_OK, effective_ids=True):
                return file, found
        return "", None


class Documentation(Site):
    """The documentation, built unless it is there and current."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._building = asyncio.Lock()

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Finds a file; before a page is shown, it is built."""
        if scope["path"].endswith(("/", ".html")):
            try:
                async with self._building:
                    await asyncio.to_thread(build_unless_current, self.folder)
            except CanopyError as error:
                return _say(500, str(error))
        return await super().get_response(path, scope)


def create_app(pages: Path, dbt: Path, audits: Path) -> Starlette:
    """Returns the three sites; they read, and answer nothing but GET and HEAD."""
    tables = Site(
        dbt, "The tables are not described yet. `canopy lake docs` does it; Airflow does it each night."
    )
    audited = Site(audits, "Nothing has been audited yet. `canopy refine` audits what it has built.")
    routes = [
        Route("/live", _live),
        Route("/dbt", _with_slash),
        Mount("/dbt", tables),
        Route("/audits", _with_slash),
        Mount("/audits", audited),
        Mount("/", Documentation(pages)),
    ]
    return Starlette(routes=routes)


def main() -> None:
    """Serves until it is stopped."""
    keep_private()
    settings = StackSettings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=settings.docs_port)
    parser.add_argument("--pages", type=Path, default=settings.pages_folder)
    given = parser.parse_args()
    log_to_stderr(logging.INFO, "%(asctime)s %(message)s")
    app = create_app(given.pages, settings.dbt_docs_folder, AuditSettings().folder / "docs")
    allowed = allowed_hosts(settings.allowed_hosts)
    run(bounded_server(app, given.host, given.port, allowed, log_level="info"))


async def _live(_request: Request) -> Response:
    return _say(200, "Well.")


async def _with_slash(request: Request) -> Response:
    return RedirectResponse(f"{request.url.path}/")


def _say(status: int, text: str) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><title>Canopy</title><p>{html.escape(text)}</p>", status)


if __name__ == "__main__":
    main()
