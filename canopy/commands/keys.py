"""`canopy keys`: who may ask the prediction service."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from canopy.show import Json, examples, show
from serving.auth.keys import Key, KeyFile, Scope
from serving.settings import ServingSettings

key_commands = typer.Typer(no_args_is_help=True)


@key_commands.command("add", epilog=examples("canopy keys add --name survey-team"))
def add_key(
    name: Annotated[str, typer.Option(help="Who will hold it.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it allows: predict (the default), admin.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is printed this once, and kept as a hash only."""
    key, secret = _file().add(name, tuple(scope or [Scope.PREDICT]))
    show({**_row(key), "key": secret}, as_json, secret)


@key_commands.command("list", epilog=examples("canopy keys list"))
def list_keys(as_json: Json = False) -> None:
    """List all keys, without what makes them secrets."""
    found = _file().read()
    table = Table("Key", "Name", "Scopes", "Made", "Revoked")
    for key in found:
        table.add_row(*_row(key).values())
    show([_row(key) for key in found], as_json, table)


@key_commands.command("revoke", epilog=examples("canopy keys revoke 1f3a9c04"))
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="As `canopy keys list` shows it.")], as_json: Json = False
) -> None:
    """Refuse a key from now on; a running service sees it within a second."""
    key = _file().revoke(key_id)
    show(_row(key), as_json, f"The key {key.key_id} ({key.name}) is refused from now on.")


def _file() -> KeyFile:
    return KeyFile(ServingSettings().keys)


def _row(key: Key) -> dict[str, str]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": ", ".join(key.scopes),
        "created_at": f"{key.created_at:%Y-%m-%d %H:%M} UTC",
        "revoked_at": f"{key.revoked_at:%Y-%m-%d %H:%M} UTC" if key.revoked_at else "",
    }
