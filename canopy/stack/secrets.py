"""Secrets of the local stack, made at random on the first start, in files only their owner reads."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

USER = "canopy"


@dataclass(frozen=True)
class StackSecrets:
    """What Airflow signs and encrypts with, and the password to sign in with."""

    airflow_password: str
    api_secret_key: str
    jwt_secret: str
    fernet_key: str


def load_secrets(folder: Path) -> StackSecrets:
    """Reads the secrets, and makes them where there are none."""
    file = folder / "secrets.json"
    if not file.exists():
        made = StackSecrets(
            airflow_password=secrets.token_urlsafe(12),
            api_secret_key=secrets.token_urlsafe(32),
            jwt_secret=secrets.token_urlsafe(64),
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        )
        write_private(file, json.dumps(asdict(made)))
    return StackSecrets(**json.loads(file.read_text()))


def write_private(file: Path, text: str) -> None:
    """Writes a file that only its owner reads; it is never there with wider rights."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    temporary.replace(file)
