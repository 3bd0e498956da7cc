"""Garbage of each kind in each place that the prediction service reads when it starts."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import KeyFileUnusable
from contracts.model_artefact import MODEL_FILE
from contracts.put_away import QUARANTINE, REASON
from serving.auth.keys import KeyFile, KeyRing, Scope, make_first_keys
from serving.http.shared_folder import LOCK, PREFIX, shared_folder
from serving.model.cache import ModelCache
from serving.model.version import Version
from tests.attacks.served import NAME, put_model, served
from tests.serving.services import settings_in

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:::{name}") for name in ("skl2onnx", "onnx", "google", "pydantic")
]
Spoil = Callable[[Path], None]
BESIDE = "metadata/registered_model_meta"


def _replaced(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)


def _bytes(content: bytes) -> Spoil:
    def spoil(path: Path) -> None:
        _replaced(path)
        path.write_bytes(content)

    return spoil


def _truncated(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _flipped(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0x55
    path.write_bytes(whole)


def _dangling(path: Path) -> None:
    _replaced(path)
    path.symlink_to(path.parent / "nothing-is-here")


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a model in it, to be copied; with other files beside it, such as MLflow keeps."""
    folder = tmp_path_factory.mktemp("cached")
    built = tmp_path_factory.mktemp("built")
    version = put_model(built)
    source = built / "cache" / NAME / version.folder_name

    def download(_: Version, partial: Path) -> Path:
        shutil.copy(source / MODEL_FILE, partial / MODEL_FILE)
        (partial / BESIDE).parent.mkdir()
        (partial / BESIDE).write_bytes(random.Random(BESIDE).randbytes(2_000))
        return partial

    cache = ModelCache(folder, NAME, "champion")
    cache.fetch(version, download)
    cache.remember(version)
    return folder


VERSION = Version(name=NAME, number="1", alias="champion", source="test", created_at_ms=1, tags={})


@pytest.mark.parametrize("where", [MODEL_FILE, BESIDE])
@pytest.mark.parametrize("spoil", [_bytes(b""), _truncated, _flipped], ids=["empty", "truncated", "one bit"])
def test_a_spoilt_file_is_put_away_with_its_version_and_the_next_good_model_is_taken(
    cached: Path, tmp_path: Path, where: str, spoil: Spoil
) -> None:
    folder = tmp_path / "cache"
    shutil.copytree(cached, folder)
    spoil(folder / NAME / VERSION.folder_name / where)
    cache = ModelCache(folder, NAME, "champion")
    assert cache.last_good() is None

    def download(_: Version, partial: Path) -> Path:
        (partial / MODEL_FILE).write_bytes(b"a good model")
        return partial

    assert (cache.fetch(VERSION, download) / MODEL_FILE).read_bytes() == b"a good model"
    assert len(list((folder / QUARANTINE).glob(f"*{REASON}"))) == 1


@pytest.mark.parametrize("spoil", [_bytes(b"[]"), _dangling], ids=["no keys", "a link to nothing"])
def test_where_there_are_no_keys_those_of_the_files_are_adopted_again(tmp_path: Path, spoil: Spoil) -> None:
    settings = settings_in(tmp_path)
    make_first_keys(settings)
    secret = settings.admin_key_file.read_bytes().strip()
    spoil(settings.keys)
    assert KeyRing(KeyFile(settings.keys)).find(secret) is None
    make_first_keys(settings)
    assert KeyRing(KeyFile(settings.keys)).find(secret)


def test_a_key_that_was_revoked_while_the_file_could_not_be_read_is_refused(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    key, secret = file.add("one", [Scope.PREDICT])
    ring = KeyRing(file)
    assert ring.find(secret.encode())
    file.revoke(key.key_id)
    whole = file.path.read_bytes()
    read, ring._file.read = ring._file.read, _fails  # type: ignore[method-assign]
    ring._look_at = 0.0
    assert ring.find(secret.encode()).revoked_at is None  # type: ignore[union-attr]  # believed for a moment
    ring._file.read = read  # type: ignore[method-assign]
    ring._look_at = 0.0
    assert file.path.read_bytes() == whole
    # The file is as it was when it could not be read: it is read all the same.
    assert ring.find(secret.encode()).revoked_at is not None  # type: ignore[union-attr]


def _fails() -> list[object]:
    raise KeyFileUnusable(Path("keys.json"), "Too many open files")


@pytest.mark.long
@pytest.mark.parametrize("what", ["spool", "serving-work"])
def test_a_service_starts_and_says_what_is_wrong_where_a_folder_cannot_be_used(
    tmp_path: Path, what: str
) -> None:
    put_model(tmp_path)
    (tmp_path / what).write_bytes(b"a file where the folder was")
    with served(tmp_path, SERVING_LOG_WRITE_S="0.05") as service:
        assert service.ask().status_code == 200
        assert service.ask(b"a,b\n1,2\n", "text/csv", "/v1/predictions:batch").status_code in (422, 503)
        assert "Traceback" not in service.log()


def test_a_service_with_garbage_for_keys_says_one_sentence_and_ends(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(b"\0" * 100)
    environment = {"SERVING_KEYS": str(tmp_path / "keys.json"), "SERVING_CACHE": str(tmp_path)}
    environment |= {
        "SERVING_PREDICT_KEY_FILE": str(tmp_path / "p"),
        "SERVING_ADMIN_KEY_FILE": str(tmp_path / "a"),
    }
    code = "from serving.__main__ import application; application()"
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert "keys.json cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_folders_of_services_that_were_killed_are_swept_and_others_are_left(tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    (left / LOCK).touch()
    stranger = tmp_path / f"{PREFIX}without-a-lock"
    stranger.mkdir()
    with shared_folder(tmp_path) as first:
        assert not left.exists()
        with shared_folder(tmp_path) as second:
            assert first.is_dir()
            assert second.is_dir()
        assert not second.exists()
    assert sorted(tmp_path.iterdir()) == [stranger]
