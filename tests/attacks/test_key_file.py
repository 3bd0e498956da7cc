"""The file of keys, made unreadable under a running service: after ten seconds nobody is let in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from serving.auth.keys import KEYS, KeyFile, Scope
from tests.attacks.told import until
from tests.serving.registry import answers, free_port, process
from tests.serving.services import bearer, paths_in

pytestmark = pytest.mark.long

# Root reads what nobody may read; the service is started without that.
UNPRIVILEGED = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, "-m", "serving"])
"""
LET_IN, UNKNOWN, REFUSED = "no-model", "keys-unknown", "no-key"


@dataclass(frozen=True)
class Service:
    """A service that has no model: whoever is let in is told that.

    Attributes:
        url: Where it answers.
        folder: Where its files are.
    """

    url: str
    folder: Path

    @property
    def keys(self) -> Path:
        """The file of keys."""
        return self.folder / "keys.json"

    def ask(self, secret: str | None = None) -> tuple[int, str]:
        """The status and the problem that a key is answered with; the first key's if none is given."""
        key = {"Authorization": f"Bearer {secret}"} if secret else bearer(self.folder / "predict.key")
        answer = httpx.get(f"{self.url}/v1/model", headers=key, trust_env=False, timeout=10)
        return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]

    def is_let_in(self) -> bool:
        """Whether the first key opens."""
        return self.ask() == (503, LET_IN)

    def replace(self, content: bytes, mode: int = 0o600) -> None:
        """Puts another file of keys in the place of what is there, at once and with these rights."""
        fresh = self.keys.with_suffix(".fresh")
        fresh.unlink(missing_ok=True)
        fresh.write_bytes(content)
        fresh.chmod(mode)
        if self.keys.is_dir():
            self.keys.rmdir()
        fresh.replace(self.keys)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder, port = tmp_path_factory.mktemp("keys"), free_port()
    environment = {f"SERVING_{name.upper()}": str(path) for name, path in paths_in(folder).items()}
    environment |= {"SERVING_PORT": str(port), "TRAINING_MLFLOW_URL": "http://127.0.0.1:9"}
    made = Service(f"http://127.0.0.1:{port}", folder)
    with process([sys.executable, "-c", UNPRIVILEGED], folder / "serving.log", environment):
        until("the service", lambda: answers(f"{made.url}/live"), 60)
        yield made


@pytest.mark.parametrize("fault", ["damaged", "not to be read", "a folder", "not JSON that holds keys"])
def test_while_the_file_cannot_be_read_nobody_is_let_in_and_then_everybody_is_again(
    service: Service, fault: str
) -> None:
    assert service.is_let_in()
    kept = service.keys.read_bytes()
    if fault == "a folder":
        service.keys.unlink()
        service.keys.mkdir()
    elif fault == "not to be read":
        service.replace(kept, mode=0)
    else:
        service.replace(b"[{]" if fault == "damaged" else b'{"keys": []}')
    until("everybody to be refused", lambda: service.ask() == (503, UNKNOWN), 60)
    assert service.ask("canopy_that-nobody-has-ever-made") == (503, UNKNOWN)
    assert httpx.get(f"{service.url}/ready", trust_env=False).json()["type"].endswith(UNKNOWN)
    assert httpx.get(f"{service.url}/live", trust_env=False).is_success
    service.replace(kept)
    until("the keys to open again", service.is_let_in, 60)
    assert service.ask("canopy_that-nobody-has-ever-made") == (401, REFUSED)


def test_a_file_that_is_gone_lets_nobody_in(service: Service) -> None:
    kept = service.keys.read_bytes()
    service.keys.unlink()
    until("everybody to be refused", lambda: service.ask() == (401, REFUSED), 60)
    service.replace(kept)
    until("the keys to open again", service.is_let_in, 60)


def test_a_key_that_was_revoked_while_the_file_could_not_be_read_stays_refused(service: Service) -> None:
    """The file can be read again without a change of its time: what was missed must be read all the same."""
    file = KeyFile(service.keys)
    key, secret = file.add("survey team", [Scope.PREDICT])
    until("the key to open", lambda: service.ask(secret) == (503, LET_IN), 60)
    before = service.keys.read_bytes()
    file_aside = KeyFile(service.folder / "aside.json")
    file_aside.path.write_bytes(before)
    file_aside.revoke(key.key_id)
    revoked = KEYS.dump_json(file_aside.read())
    service.replace(revoked, mode=0)
    changed_at = service.keys.stat().st_mtime_ns
    until("everybody to be refused", lambda: service.ask(secret) == (503, UNKNOWN), 60)
    service.keys.chmod(0o600)
    assert service.keys.stat().st_mtime_ns == changed_at
    until("the others to be let in", service.is_let_in, 60)
    assert service.ask(secret) == (401, REFUSED)
