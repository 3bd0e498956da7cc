"""Checks whether the gate has signed a version: asked of its bytes, before anything is done with them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from contracts.errors import ModelMissing
from contracts.model_artefact import Tag
from contracts.version_signature import (
    DIGEST_TAG,
    MAY_TAG,
    SIGNATURE_TAG,
    May,
    is_signed,
    public_key_of,
    statement,
)
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from clients.mlflow import Version


def require_registered(settings: TrainingSettings, version: Version, content: bytes) -> str:
    """Refuses another file than the registered one. Returns: Its SHA-256. Raises: ModelMissing."""
    digest = hashlib.sha256(content).hexdigest()
    if version.tags.get(DIGEST_TAG) != digest:
        reason = f"version {version.number} is not the file that was registered: it has the sha256 {digest}"
        raise ModelMissing(settings.model_name, reason)
    return digest


def require_signed(settings: TrainingSettings, version: Version, content: bytes, *may: May) -> None:
    """Refuses what the gate has not signed; without a key nothing is.

    Args:
        settings: Names the model, and has the gate's key.
        version: What the registry says of it.
        content: Its file.
        may: Any of these must have been signed; that it may answer, if none is given.

    Raises: ModelMissing, also if it is another file than the registered one.
    """
    digest, tags, wanted = require_registered(settings, version, content), version.tags, may or (May.ANSWER,)
    if settings.gate_key is None:
        return
    signed = tags.get(MAY_TAG, "")
    said = statement(settings.model_name, str(version.number), digest, tags.get(Tag.SNAPSHOT_ID), signed)
    key = public_key_of(settings.gate_key.get_secret_value())
    if signed not in wanted or not is_signed(key, said, tags.get(SIGNATURE_TAG)):
        reason = f"the gate has not signed that version {version.number} may {wanted[0]}"
        raise ModelMissing(settings.model_name, reason)
