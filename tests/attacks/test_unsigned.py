"""An alias alone lets nothing answer: what serves is what the gate or a person has signed, byte for byte."""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient
from pydantic import SecretStr

from contracts.errors import ModelMissing
from contracts.version_signature import MAY_TAG, SIGNATURE_TAG, May, is_signed, public_key_of, sign, statement
from serving.model.cache import _seal
from tests.serving.onnx_models import build_model
from tests.serving.registry import TestRegistry, wait_until
from tests.serving.services import running
from training.judge import prequential as live
from training.promote.promotion import promote
from training.promote.registry import Registry
from training.settings import TrainingSettings

MODEL = "unsigned"
KEY = base64.b64encode(secrets.token_bytes(32)).decode()
GATED = {"SERVING_GATE_KEY": public_key_of(KEY), "until": "/live"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    mine = build_model(folder / "mine" / "model.onnx")
    other = build_model(folder / "other" / "model.onnx", shift=1)
    return {"mine": mine, "other": other}


@pytest.mark.long
def test_only_what_was_signed_answers_whatever_the_registry_says(
    mlflow_url: str, files: dict[str, Path], tmp_path: Path
) -> None:
    """One service, and a writer of the registry who tries one thing after the other."""
    registry, client = TestRegistry(mlflow_url), MlflowClient(mlflow_url, mlflow_url)
    settings = TrainingSettings(
        mlflow_url=mlflow_url, model_name=MODEL, gate_key=SecretStr(KEY), _env_file=None
    )
    good = registry.register(MODEL, files["mine"])
    registry.promote(MODEL, good)  # by its alias alone
    cache = tmp_path / "service"
    cache.mkdir()
    with running(cache, mlflow_url, MODEL, **GATED) as (url, _):
        _until_said(url, "the gate has not signed it")
        assert httpx.get(f"{url}/ready").status_code == 503
        promote(settings, int(good))  # by a person who holds the key
        wait_until(lambda: httpx.get(f"{url}/ready").is_success)
        signed = client.get_model_version(MODEL, good).tags

        evil = registry.register(MODEL, files["other"])
        tries: dict[str, Callable[[], object]] = {
            "no signature": lambda: None,
            "the tags of a signed version": lambda: _tag(client, evil, signed),
            "its signature, with the digest of the other bytes": lambda: _tag(
                client, evil, {**signed, "artefact_sha256": _sha256(files["other"])}
            ),
            "a signature of a key of one's own": lambda: _tag(client, evil, _own(evil, files["other"])),
        }
        for name, attempt in tries.items():
            attempt()
            registry.promote(MODEL, evil)
            _until_said(url, "refused", name)
            assert httpx.get(f"{url}/ready").json()["model"]["version"] == good, name
            registry.promote(MODEL, good)
            _until_followed(url)

        twin = registry.register(MODEL, files["mine"])  # the same bytes under another number
        _tag(client, twin, signed)
        registry.promote(MODEL, twin)
        _until_said(url, "the gate has not signed it")
        promote(settings, int(twin))
        _until_followed(url)
        assert httpx.get(f"{url}/ready").json()["model"]["version"] == twin

        shadow = registry.register(MODEL, files["mine"])
        found = Registry(settings)
        found.sign(found.version(int(shadow)), May.BE_ASKED)
        registry.promote(MODEL, shadow)
        _until_said(url, "may be-asked")
    # The registry is away: it starts from its cache, and looks at that too.
    with running(cache, "http://127.0.0.1:9", MODEL, **GATED) as (url, _):
        wait_until(lambda: httpx.get(f"{url}/ready").is_success)
        assert httpx.get(f"{url}/ready").json()["model"]["version"] == twin
    (kept,) = [path for path in cache.rglob("model.onnx") if path.parent.name.startswith(f"{twin}-")]
    shutil.copyfile(files["other"], kept)
    _seal(kept.parent)  # whoever may write there can write this as well; the signature is what he cannot
    with running(cache, "http://127.0.0.1:9", MODEL, **GATED) as (url, _):
        _until_said(url, "sha256")


def test_the_gate_signs_no_file_that_is_not_the_registered_one(
    mlflow_url: str, files: dict[str, Path]
) -> None:
    registry = TestRegistry(mlflow_url)
    settings = TrainingSettings(
        mlflow_url=mlflow_url, model_name=f"{MODEL}-swapped", gate_key=SecretStr(KEY), _env_file=None
    )
    number = registry.register(f"{MODEL}-swapped", files["other"], artefact_sha256=_sha256(files["mine"]))
    with pytest.raises(ModelMissing, match="is not the file that was registered"):
        promote(settings, int(number))
    assert Registry(settings).with_alias("champion") is None


def test_live_accuracy_is_of_what_the_gate_has_signed(
    mlflow_url: str, files: dict[str, Path], tmp_path: Path
) -> None:
    """A landing is put to what may answer alone; a writer of the registry tries one thing after the other."""
    name = f"{MODEL}-live"
    registry, client = TestRegistry(mlflow_url), MlflowClient(mlflow_url, mlflow_url)
    settings = TrainingSettings(
        mlflow_url=mlflow_url, model_name=name, gate_key=SecretStr(KEY), cache=tmp_path, _env_file=None
    )

    def asked() -> str:
        """The digest of what would be asked."""
        champion = live._champion(settings)
        assert champion
        return live._artefact(settings, champion).sha256

    good = registry.register(name, files["mine"])
    promote(settings, int(good))
    mine, other = _sha256(files["mine"]), _sha256(files["other"])
    assert asked() == mine
    signed = client.get_model_version(name, good).tags
    evil = registry.register(name, files["other"], artefact_sha256=other)
    own = _own(evil, files["other"], name)
    registry.promote(name, evil)
    for tags in ({}, {**signed, "artefact_sha256": other}, own, {**own, SIGNATURE_TAG: "none"}, signed):
        _tag(client, evil, tags, name)
        with pytest.raises(ModelMissing):
            asked()
        assert [file.name for file in tmp_path.iterdir()] == [f"{name}-{good}.onnx"]
    # Whoever may write into the cache as well has the bytes at hand, and no signature of them.
    shutil.copyfile(files["other"], tmp_path / f"{name}-{evil}.onnx")
    _tag(client, evil, {**signed, "artefact_sha256": other}, name)
    with pytest.raises(ModelMissing, match="has not signed"):
        asked()
    shadow = registry.register(name, files["mine"])
    found = Registry(settings)
    found.sign(found.version(int(shadow)), May.BE_ASKED)
    registry.promote(name, shadow)
    with pytest.raises(ModelMissing, match="may answer"):
        asked()
    registry.promote(name, good)
    assert asked() == mine


def test_every_part_of_a_statement_is_signed() -> None:
    said: dict[str, Any] = {"model": "m", "version": "3", "sha256": "ab", "snapshot_id": "7", "may": "answer"}
    signature = sign(KEY, statement(**said))
    assert is_signed(public_key_of(KEY), statement(**said), signature)
    for name in said:
        for value in ("other", "", None):
            assert not is_signed(public_key_of(KEY), statement(**said | {name: value}), signature), name
    for damaged in (None, "", "no base64", signature[:-4], signature.lower(), signature + "AAAA"):
        assert not is_signed(public_key_of(KEY), statement(**said), damaged)


def _own(version: str, file: Path, model: str = MODEL) -> dict[str, str]:
    mine = base64.b64encode(secrets.token_bytes(32)).decode()
    said = statement(model, version, _sha256(file), "7", May.ANSWER)
    return {"artefact_sha256": _sha256(file), MAY_TAG: May.ANSWER, SIGNATURE_TAG: sign(mine, said)}


def _tag(client: MlflowClient, version: str, tags: dict[str, str], model: str = MODEL) -> None:
    for name, value in tags.items():
        client.set_model_version_tag(model, version, name, value)


def _sha256(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()


def _until_said(url: str, words: str, what: str = "") -> None:
    wait_until(lambda: words in httpx.get(f"{url}/ready").text, 30)
    assert words in httpx.get(f"{url}/ready").text, what


def _until_followed(url: str) -> None:
    wait_until(lambda: httpx.get(f"{url}/ready").json().get("problem") is None)
