"""Who may ask: each wrong key is refused with the reason, and a key leaves no secret behind."""

from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from contracts.errors import KeyFileUnusable, KeysUnknown, KeyUnknown, SettingsInvalid
from lake.settings import LakeSettings
from serving.auth.api_key_auth import ApiKeyAuth
from serving.auth.keys import KeyFile, KeyRing, Scope, make_first_keys
from serving.settings import ServingSettings
from tests.serving.onnx_models import random_rows
from tests.serving.registry import wait_until
from tests.serving.services import bearer, client_of, settings_in
from tests.serving.test_refusals import problem

ROW = random_rows(1)[0]


@pytest.fixture
def settings(tmp_path: Path) -> ServingSettings:
    """A service without a registry: whoever is let in meets 503."""
    return settings_in(tmp_path, mlflow_url="http://127.0.0.1:9")


@pytest.fixture
def client(settings: ServingSettings, tmp_path: Path) -> TestClient:
    """A client that sends no key of its own."""
    found = client_of(settings, LakeSettings(uri=str(tmp_path / "lake")))
    del found.headers["Authorization"]
    return found


def test_without_a_key_nothing_below_v1_is_answered(client: TestClient) -> None:
    for method, path in (
        ("POST", "/v1/predictions"),
        ("POST", "/v1/predictions:batch"),
        ("GET", "/v1/model"),
        ("POST", "/v1/model:reload"),
        ("GET", "/v1/nothing"),
    ):
        reply = client.request(method, path)
        assert "canopy keys add" in problem(reply, 401, "no-key")["detail"]
        assert reply.headers["www-authenticate"].startswith("Bearer")
    assert client.get("/live").status_code == client.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic Y2Fub3B5", "Bearer canopy_guessed", "canopy_guessed", "Bearer \xff"],
)
def test_what_is_no_key_is_refused(client: TestClient, header: str) -> None:
    reply = client.post("/v1/predictions", json=ROW, headers={"Authorization": header.encode("latin-1")})
    problem(reply, 401, "no-key")


def test_a_key_opens_what_its_scope_says(client: TestClient, settings: ServingSettings) -> None:
    predict, admin = bearer(settings.predict_key_file), bearer(settings.admin_key_file)
    assert client.post("/v1/predictions", json=ROW, headers=predict).status_code == 503
    assert (
        "scope admin"
        in problem(client.post("/v1/model:reload", headers=predict), 403, "out-of-scope")["detail"]
    )
    assert client.post("/v1/model:reload", headers=admin).status_code == 503
    assert client.get("/v1/model", headers=admin).status_code == 503


def test_a_revoked_key_is_refused_while_the_service_runs(
    client: TestClient, settings: ServingSettings
) -> None:
    file = KeyFile(settings.keys)
    key, secret = file.add("survey team", [Scope.PREDICT])
    headers = {"Authorization": f"Bearer {secret}"}
    wait_until(lambda: client.post("/v1/predictions", json=ROW, headers=headers).status_code == 503, 5)
    file.revoke(key.key_id)
    wait_until(lambda: client.post("/v1/predictions", json=ROW, headers=headers).status_code == 401, 5)
    reply = client.post("/v1/predictions", json=ROW, headers=headers)
    assert f"{key.key_id} was revoked" in problem(reply, 401, "no-key")["detail"]


def test_a_key_that_asks_too_often_is_told_when_to_come_again(
    settings: ServingSettings, tmp_path: Path
) -> None:
    slow = settings.model_copy(update={"rate_limit": "3/minute"})
    client = client_of(slow, LakeSettings(uri=str(tmp_path / "lake")))
    assert [client.get("/v1/model").status_code for _ in range(3)] == [503] * 3
    reply = client.get("/v1/model")
    problem(reply, 429, "too-many")
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    # Another key has its own count.
    assert client.get("/v1/model", headers=bearer(settings.predict_key_file)).status_code == 503


@pytest.mark.parametrize("amount", [1, 250, 1_055, 2_000])
def test_a_key_is_let_in_as_often_as_the_rate_says(settings: ServingSettings, amount: int) -> None:
    make_first_keys(settings)
    auth = ApiKeyAuth(
        KeyRing(KeyFile(settings.keys)), settings.model_copy(update={"rate_limit": f"{amount}/hour"})
    )
    sent = bearer(settings.predict_key_file)["Authorization"].encode()
    connection = {"path": "/v1/model", "headers": [(b"authorization", sent)]}

    async def ask() -> int:
        for admitted in range(amount + 100):
            try:
                await auth.authenticate(connection)
            except HTTPException:
                return admitted
        return amount + 100

    assert asyncio.run(ask()) == amount


def test_settings_that_cannot_work_are_named(settings: ServingSettings, tmp_path: Path) -> None:
    lake = LakeSettings(uri=str(tmp_path / "lake"))
    for name, value in (("rate_limit", "often"), ("rate_storage", "paper://")):
        with pytest.raises(SettingsInvalid, match=f"SERVING_{name.upper()}='{value}'"):
            client_of(settings.model_copy(update={name: value}), lake)


def test_files_hold_hashes_only_and_are_their_owners(settings: ServingSettings) -> None:
    make_first_keys(settings)
    files = (settings.predict_key_file, settings.admin_key_file)
    secrets = [path.read_text().strip() for path in files]
    kept = settings.keys.read_text()
    assert all(len(secret) > 40 and secret not in kept for secret in secrets)
    for path in (settings.keys, *files):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # A second start makes no others.
    make_first_keys(settings)
    assert [
        path.read_text().strip() for path in (settings.predict_key_file, settings.admin_key_file)
    ] == secrets
    assert len(KeyFile(settings.keys).read()) == 2


def test_a_key_that_is_mounted_is_adopted(settings: ServingSettings) -> None:
    settings.predict_key_file.write_text("made-elsewhere-0123456789\n")
    make_first_keys(settings)
    found = KeyRing(KeyFile(settings.keys)).find(b"made-elsewhere-0123456789")
    assert found is not None
    assert found.scopes == (Scope.PREDICT,)
    assert settings.predict_key_file.read_text() == "made-elsewhere-0123456789\n"


def test_a_key_that_can_be_guessed_is_not_adopted(settings: ServingSettings) -> None:
    settings.admin_key_file.write_text("secret\n")
    with pytest.raises(KeyFileUnusable, match="holds 6 characters"):
        make_first_keys(settings)


def test_a_damaged_file_takes_no_key_away_while_the_service_runs(settings: ServingSettings) -> None:
    file = KeyFile(settings.keys)
    _, secret = file.add("one", [Scope.PREDICT])
    ring = KeyRing(file)
    assert ring.find(secret.encode())
    settings.keys.write_text("[{]")
    until = time.monotonic() + 1.5  # longer than between two looks
    while time.monotonic() < until:
        assert ring.find(secret.encode())
        time.sleep(0.1)


def test_what_cannot_be_read_for_too_long_lets_nobody_in_until_it_is_mended(
    settings: ServingSettings,
) -> None:
    """`tests/attacks/test_key_file.py` waits the ten seconds, on a running service."""
    file = KeyFile(settings.keys)
    _, secret = file.add("one", [Scope.PREDICT])
    kept = settings.keys.read_bytes()
    settings.keys.write_text("[{]")
    ring = KeyRing(file, trusted_s=0)
    with pytest.raises(KeysUnknown, match=str(settings.keys)):
        ring.find(secret.encode())
    settings.keys.write_bytes(kept)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            assert ring.find(secret.encode())
            return
        except KeysUnknown:
            time.sleep(0.1)
    raise AssertionError("nobody is let in again")


def test_damaged_and_unknown_keys_are_named(settings: ServingSettings) -> None:
    file = KeyFile(settings.keys)
    key, _ = file.add("one", [Scope.PREDICT])
    with pytest.raises(KeyUnknown, match=key.key_id):
        file.revoke("00000000")
    settings.keys.write_text("[{]")
    with pytest.raises(KeyFileUnusable, match=str(settings.keys)):
        file.read()


def test_a_lock_that_cannot_be_made_is_not_to_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileUnusable) as refused:
        KeyFile(tmp_path / "file" / "keys.json").add("x", [Scope.PREDICT])
    assert "Try again" not in str(refused.value)
