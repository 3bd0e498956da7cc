"""`canopy backup` and `canopy restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canopy.settings import StackSettings
from canopy.show import errors, out

Folder = Annotated[Path, typer.Argument(help="Folder of the backup.")]
Stack = Annotated[bool, typer.Option("--stack", help="The containers of `canopy up --stack`.")]


def backup(folder: Folder, stack: Stack = False) -> None:
    """Write everything that cannot be made again into a new folder: rows, models, databases, secrets."""
    from canopy.backup import back_up_home
    from canopy.backup_stack import back_up

    with errors.status("Backing up") as status:
        made = (back_up if stack else back_up_home)(StackSettings(), folder, status.update)
    out.print(f"{len(made.files)} files in {folder}. It holds secrets: keep it where only you can read it.")


def restore(folder: Folder, stack: Stack = False) -> None:
    """Put a backup back, where nothing is yet; then `canopy up` continues where it was made."""
    from canopy.backup import restore_home
    from canopy.backup_stack import restore as restore_stack

    with errors.status("Restoring") as status:
        found = (restore_stack if stack else restore_home)(StackSettings(), folder, status.update)
    out.print(f"The backup of {found.made_at} is back. Start it: canopy up{' --stack' if stack else ''}")
