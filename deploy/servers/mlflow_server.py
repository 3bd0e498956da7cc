"""MLflow's server with its accounts, behind the rule of who may ask, with bounded connections."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable
from typing import Any

from contracts.hosts import Application, HostGuard, Receive, Scope, Send, allowed_hosts
from contracts.stack_settings import StackSettings
from deploy.access.tries import TryLimit
from deploy.servers.mlflow_folder import take_percents

READERS = ("reader", "serving", "transform")


def main() -> None:
    """Runs `mlflow server` with the same arguments; MLflow starts its web server in a process of its own."""
    import mlflow.server
    from mlflow.cli import cli

    # Its own rules take names of this machine's network, and let any page of any local server ask. The guard
    # in front is stricter; they have to know the names that it knows.
    names = [name for name in sorted(allowed_hosts(StackSettings().allowed_hosts)) if ":" not in name]
    hosts = [f"{name}{port}" for name in names for port in ("", ":*")] + ["[[]::1]", "[[]::1]:*"]
    os.environ["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join(hosts)
    origins = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    os.environ["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(origins)
    # MLflow finds an application by a package's entry point, and has no other seam for a layer in front.
    mlflow.server._find_app = lambda app_name: "deploy.servers.mlflow_server:guarded"  # noqa: ARG005
    # Nor one for how connections are taken.
    build: Callable[..., list[str]] = mlflow.server._build_uvicorn_command
    mlflow.server._build_uvicorn_command = lambda *given, **more: [
        "deploy.servers.bounded_server" if word == "uvicorn" else word for word in build(*given, **more)
    ]
    take_percents()
    cli(["server", "--app-name", "basic-auth", *sys.argv[1:]])


def guarded() -> Any:
    """MLflow's application with accounts, behind the rule."""
    take_percents()
    from mlflow.server.auth import create_app

    application: Any = create_app()
    return HostGuard(TryLimit(ReadOnly(application)), allowed_hosts(StackSettings().allowed_hosts))


class ReadOnly:
    """Lets some accounts only read: MLflow itself lets any account make experiments and models."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on; MLflow judges who it is, and what they may see."""
        if scope["type"] == "http" and user_of(scope) in READERS and not is_reading(scope):
            body = b"This account may only read."
            headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self._app(scope, receive, send)


def user_of(scope: Scope) -> str | None:
    """Returns the account that a request names, whether its password is right or not."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    kind, _, encoded = (given[0] if given else b"").partition(b" ")
    if kind.lower() != b"basic":
        return None
    try:
        return base64.b64decode(encoded).partition(b":")[0].decode()
    except ValueError:
        return None


def is_reading(scope: Scope) -> bool:
    """Returns whether a request changes nothing: MLflow's pages and clients also search by POST."""
    last = scope["path"].rstrip("/").rpartition("/")[2]
    return scope["method"] in ("GET", "HEAD", "OPTIONS") or (
        scope["method"] == "POST" and (last == "graphql" or last.startswith(("search", "get-")))
    )


if __name__ == "__main__":
    main()
