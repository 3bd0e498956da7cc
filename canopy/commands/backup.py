"""`canopy backup` and `canopy restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canopy.show import errors, out
from contracts.stack_settings import StackSettings
from lake.settings import LakeSettings

Folder = Annotated[Path, typer.Argument(help="Folder of the backup.")]
Stack = Annotated[bool, typer.Option("--stack", help="The containers of `canopy up --stack`.")]


def backup(
    folder: Folder,
    stack: Stack = False,
    encrypt_to: Annotated[
        list[str] | None,
        typer.Option(help="Only the holder of this key can read it: an age or SSH public key; repeatable."),
    ] = None,
) -> None:
    """Write everything that cannot be made again into a new folder: rows, models, databases, secrets."""
    from deploy.backup.age import recipients_of
    from deploy.backup.containers import back_up
    from deploy.backup.local import back_up_home, require_own_lake

    settings, recipients = StackSettings(), recipients_of(encrypt_to or [])
    if not stack:
        require_own_lake(settings, LakeSettings())
    with errors.status("Backing up") as status:
        made = (back_up if stack else back_up_home)(settings, folder, status.update, recipients)
    secrecy = (
        f"It is encrypted to {len(recipients)} key(s): without one of them nobody opens it, nor do you."
        if recipients
        else "It holds secrets in plain: keep it where only you can read it, or make it with --encrypt-to."
    )
    out.print(f"{len(made.files)} files in {folder}. {secrecy}")


def restore(
    folder: Folder,
    stack: Stack = False,
    identity: Annotated[
        Path | None, typer.Option(help="The file with the secret key, where the backup is encrypted.")
    ] = None,
) -> None:
    """Put a backup back, where nothing is yet; then `canopy up` continues where it was made."""
    from deploy.backup.age import identities_of
    from deploy.backup.containers import restore as restore_stack
    from deploy.backup.local import restore_home

    keys = identities_of(identity) if identity else []
    with errors.status("Restoring") as status:
        found = (restore_stack if stack else restore_home)(StackSettings(), folder, status.update, keys)
    out.print(f"The backup of {found.made_at} is back. Start it: canopy up{' --stack' if stack else ''}")
