"""MLflow's server with its accounts, behind the rule of who may ask, with bounded connections."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from starlette.responses import PlainTextResponse

from contracts.hosts import Application, HostGuard, Receive, Scope, Send, allowed_hosts
from contracts.stack_settings import StackSettings
from deploy.access.tries import TryLimit
from deploy.servers.mlflow_folder import take_percents

READERS = ("reader", "serving", "transform")
# The path of a file may end with any name.
ARTIFACTS = "/mlflow-artifacts/"
# By POST; another name that begins like these may make something (`get-or-create-user`).
SEARCHES = ("get-latest-versions", "graphql", "search", "search-datasets")
# What asks addresses that an account names, and runs what is answered as a command; its sign-in is another
# header too, which is not counted as a try.
SWITCHED_OFF = re.compile(
    r"(/gateway|/(ajax-)?api/\d\.\d/mlflow/(assistant|gateway|gateway-proxy|mcp-servers))(/|$)"
)

MAKES_EXPERIMENT, PLACES = "/experiments/create", ("artifact_location", "artifactLocation")
MOST_BYTES = 2**20


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
    # A version is of what a run has made; MLflow itself refuses this machine's files, and takes any bucket.
    os.environ["MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"] = r"\A(mlflow-artifacts|models|runs):/"
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
    """Returns MLflow's application with accounts, behind the rule."""
    take_percents()
    from mlflow.server.auth import create_app

    application: Any = create_app()
    return HostGuard(TryLimit(Rights(application)), allowed_hosts(StackSettings().allowed_hosts))


class Rights:
    """Lets some accounts only read, and nobody ask what of MLflow is switched off.

    MLflow itself lets any account make experiments and models, and have its assistant run programs.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on; MLflow judges who it is, and what they may see."""
        app = (refusal(scope) if scope["type"] == "http" else None) or self._app
        if app is self._app and scope["type"] == "http" and scope["path"].endswith(MAKES_EXPERIMENT):
            body = await _body(receive)
            if is_moving(body):
                app = PlainTextResponse("Where an experiment's files lie is said by the server alone.", 403)
            receive = _again(body, receive)
        await app(scope, receive, send)


def refusal(scope: Scope) -> Application | None:
    """Returns what answers in MLflow's place, or None if MLflow is asked."""
    if SWITCHED_OFF.match(scope["path"]):
        return PlainTextResponse("This part of MLflow is switched off.", 403)
    if scope["path"].rstrip("/") == "/graphql" and scope["method"] != "POST":  # MLflow answers 500
        return PlainTextResponse("This is asked by POST.", 405, {"Allow": "POST"})
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if is_reading(scope) or not given:
        return None
    user = user_of(given)
    if user is None:
        how = {"WWW-Authenticate": 'Basic realm="mlflow"'}
        return PlainTextResponse("Say who you are once, as HTTP's basic sign-in has it.", 401, how)
    return PlainTextResponse("This account may only read.", 403) if user in READERS else None


def user_of(given: list[bytes]) -> str | None:
    """Returns the account that a request names, whether its password is right or not; None if readers of
    the same header could find another one in it.

    MLflow has two of them: one also takes a tab for the blank, and what is nearly base64.
    """
    kind, _, encoded = given[0].partition(b" ")
    if len(given) > 1 or kind.lower() != b"basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).partition(b":")[0].decode("ascii")
    except ValueError:
        return None


def is_reading(scope: Scope) -> bool:
    """Returns whether a request changes nothing: MLflow's pages and clients also search by POST."""
    path, method = scope["path"].rstrip("/"), scope["method"]
    is_search = path.rpartition("/")[2] in SEARCHES and ARTIFACTS not in path
    return method in ("GET", "HEAD", "OPTIONS") or (method == "POST" and is_search)


def is_moving(body: bytes) -> bool:
    """Returns whether an experiment would have a place of its own for its files, or may have.

    MLflow writes wherever that is, with its own rights. It also takes JSON within a string of JSON.
    """
    try:
        said = json.loads(body)
        said = json.loads(said) if isinstance(said, str) else said
        return len(body) > MOST_BYTES or any(said.get(name) for name in PLACES)
    except (ValueError, AttributeError, RecursionError):
        return True


async def _body(receive: Receive) -> bytes:
    """Returns a request's body, or so much of it that it is too long."""
    body, is_more = b"", True
    while is_more and len(body) <= MOST_BYTES:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Returns what gives a body that was read once more, and then what comes after it."""
    left: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Any:
        return left.pop() if left else await receive()

    return next_message


if __name__ == "__main__":
    main()
