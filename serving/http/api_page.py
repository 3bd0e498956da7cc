"""The page at `/docs`: Swagger UI, as one release of it was looked at, and nothing else.

Its two files come from a CDN. The page names them with their digests, and its policy lets a browser load
these two and ask this service alone.
"""

from __future__ import annotations

import base64
import hashlib

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

PATH = "/docs"
FILES = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.35.0/"
SCRIPT = (
    f"{FILES}swagger-ui-bundle.js",
    "sha384-gjRm0bEPMeTmMh5jT2cHccIwCUZSTd8YC+j0d0sXw0MdGEfScduGpSyF3ZSSLkX9",
)
STYLE = (f"{FILES}swagger-ui.css", "sha384-WlYgdmXYOOBWL5apwjDEZwN+U3HmXSSu5R6V5aGxEcf7z+KuRNwBhoxKVN1i3D5I")
START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", deepLinking: true});'
PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Canopy predictions</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{STYLE[0]}" integrity="{STYLE[1]}" crossorigin="anonymous">
<div id="page">This page needs the internet: its scripts come from cdn.jsdelivr.net. Without it, read
<a href="/openapi.json">the description</a> itself.</div>
<script src="{SCRIPT[0]}" integrity="{SCRIPT[1]}" crossorigin="anonymous"></script>
<script>{START}</script>
</html>
"""
_START_DIGEST = base64.b64encode(hashlib.sha256(START.encode()).digest()).decode()
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {SCRIPT[0]} 'sha256-{_START_DIGEST}'",
        f"style-src {STYLE[0]}",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def page_route() -> Route:
    """Returns the route of the page."""
    return Route(PATH, _show, include_in_schema=False)


async def _show(_: Request) -> Response:
    return HTMLResponse(PAGE)
