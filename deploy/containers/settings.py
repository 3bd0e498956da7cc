"""What the init job of the stack in containers needs to know, and what each service may see of `.env`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic_settings import SettingsConfigDict

from contracts.private_file import write_private
from contracts.settings import Settings, env_file
from deploy.sees import CONTAINERS, seen_in_container


class InitSettings(Settings):
    """Settings with the prefix `INIT_`; read once at the edge and passed down.

    Attributes:
        s3_endpoint_url: The store.
        s3_accounts: How the store is told of users: `minio` (its own way), `iam` (policies as Amazon's IAM
            takes them, for users that are there) or `none` (somebody else does it).
    """

    model_config = SettingsConfigDict(env_prefix="INIT_")

    s3_endpoint_url: str = "http://minio:9000"
    s3_accounts: Literal["minio", "iam", "none"] = "minio"


def write_service_settings(folder: Path, file: Path) -> None:
    """Writes a file for each service, with what it may see of a person's own settings.

    Args:
        folder: Where the files go; only its owner can enter it.
        file: The person's `.env`; it need not be there.

    Raises: SettingsFileUnreadable.
    """
    given = env_file(file)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    for service in CONTAINERS:
        lines = [f"{name}={_quoted(value)}\n" for name, value in seen_in_container(given, service).items()]
        write_private(folder / f"{service}.env", "".join(lines))


def _quoted(value: str) -> str:
    """Returns a value as Compose reads it back: between single quotes it takes every character for itself."""
    if not set(value) & set("'\\\n\r"):
        return f"'{value}'"
    for character, written in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(character, written)
    return f'"{value}"'
