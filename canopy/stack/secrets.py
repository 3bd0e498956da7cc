"""Secrets of the local stack, made at random on the first start, in files only their owner reads."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from serving.private_file import write_private

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
