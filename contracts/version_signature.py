"""Signs and verifies model versions, so that an alias alone promotes nothing.

Whoever may write to the registry can move an alias, copy tags and put other bytes in a file's place. So the
gate signs which bytes may do what under which number; training holds the private key, serving the public one.
"""

from __future__ import annotations

import base64
import json
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_TAG, MAY_TAG = "gate_signature", "gate_may"
DIGEST_TAG = "artefact_sha256"


class May(StrEnum):
    """What a signed version may do."""

    ANSWER = "answer"
    BE_ASKED = "be-asked"  # beside the champion, without answering


def statement(model: str, version: str, sha256: str, snapshot_id: str | None, may: str) -> bytes:
    """Returns the bytes that are signed.

    Args:
        model: The registered model's name.
        version: The version's number.
        sha256: Of the file, as it is and not as a tag says.
        snapshot_id: What it learned from.
        may: What it may do.
    """
    said = {"model": model, "version": version, "sha256": sha256, "snapshot_id": snapshot_id, "may": may}
    return json.dumps({"canopy": "version", **said}, sort_keys=True).encode()


def sign(private_key: str, said: bytes) -> str:
    """Returns the signature of a statement, in base64. Raises: ValueError if the key is none."""
    return base64.b64encode(_private(private_key).sign(said)).decode()


def is_signed(public_key: str, said: bytes, signature: str | None) -> bool:
    """Returns whether a signature is of this statement and by the key's owner. Raises: ValueError if it is
    no key."""
    key = Ed25519PublicKey.from_public_bytes(_bytes(public_key))
    try:
        key.verify(base64.b64decode(signature or "", validate=True), said)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key_of(private_key: str) -> str:
    """Returns the key to check with, in base64."""
    return base64.b64encode(_private(private_key).public_key().public_bytes_raw()).decode()


def _private(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_bytes(key))


def _bytes(key: str) -> bytes:
    return base64.b64decode(key, validate=True)
