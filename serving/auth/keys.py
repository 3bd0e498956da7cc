"""API keys: made at random, kept as hashes, found again in constant time."""

from __future__ import annotations

import errno
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from contracts.errors import KeyFileUnusable, KeysUnknown, KeyUnknown
from contracts.plain_files import absolute, read_plain
from contracts.private_file import write_private
from serving.settings import ServingSettings

LOG = logging.getLogger(__name__)
PREFIX = "canopy_"
# What an adopted key must have at least: 20 characters of base 64 are 120 bits.
SHORTEST = 20
ID_CHARACTERS = 8
LOOK_EVERY_S = 1.0
LOCK_WITHIN_S = 10.0
# An editor saves a file in less.
TRUSTED_S = 10.0
SETTLED_NS = 1_000_000_000
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class Scope(StrEnum):
    """What a key allows."""

    PREDICT = "predict"
    ADMIN = "admin"


class Key(BaseModel):
    """A key, without what makes it a secret.

    Attributes:
        key_id: The first characters of its hash: what logs and lists show.
        name: Who holds it, in words.
        scopes: What it allows; admin allows everything.
        sha256: Hash of the key. It has 256 random bits, so a slow hash would add nothing.
        created_at: When it was made, in UTC.
        revoked_at: Since when it is refused, or None.
    """

    model_config = ConfigDict(frozen=True)

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created_at: datetime
    revoked_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Returns whether it may be used for this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


KEYS = TypeAdapter(list[Key])


class KeyFile:
    """The keys of a service, in a file that only its owner reads. Several programs may change it."""

    def __init__(self, path: Path) -> None:
        self.path = absolute(path)

    def read(self) -> list[Key]:
        """Returns all keys, revoked ones too, oldest first. Raises: KeyFileUnusable."""
        try:
            return KEYS.validate_json(read_plain(self.path))
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as error:
            raise KeyFileUnusable(self.path, str(error).splitlines()[0], _remedy(error)) from error

    def add(self, name: str, scopes: Sequence[Scope], secret: str | None = None) -> tuple[Key, str]:
        """Adds a key, and returns it with its secret, which is kept nowhere.

        Args:
            name: Who will hold it.
            scopes: What it shall allow.
            secret: A key that was made elsewhere; one that is there already is left as it is.
        """
        secret = secret or PREFIX + secrets.token_urlsafe(32)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        key = Key(
            key_id=digest[:ID_CHARACTERS],
            name=name,
            scopes=tuple(scopes),
            sha256=digest,
            created_at=datetime.now(UTC),
        )
        with self._changing() as keys:
            known = next((item for item in keys if item.sha256 == digest), None)
            if known is None:
                keys.append(key)
        return known or key, secret

    def revoke(self, key_id: str) -> Key:
        """Refuses a key from now on. Raises: KeyUnknown."""
        with self._changing() as keys:
            for position, key in enumerate(keys):
                if key.key_id == key_id:
                    revoked = key.model_copy(update={"revoked_at": key.revoked_at or datetime.now(UTC)})
                    keys[position] = revoked
                    return revoked
        raise KeyUnknown(key_id, [key.key_id for key in self.read()])

    @contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        with _locked(self.path, self.path.with_suffix(".lock")):
            keys = self.read()
            before = list(keys)
            yield keys
            if keys != before:
                write_private(self.path, KEYS.dump_json(keys, indent=2).decode() + "\n")


class KeyRing:
    """The keys as the running service sees them; a change of the file is seen within a second.

    While the file cannot be read, those who had a key keep it for a moment: somebody may have it open in an
    editor. Then nobody has one: a key may have been revoked.
    """

    def __init__(self, file: KeyFile, trusted_s: float = TRUSTED_S) -> None:
        """Args: the file, and how long is believed what was read last."""
        self._file = file
        self._trusted_s = trusted_s
        self._keys: dict[str, Key] = {}
        self._seen: tuple[int, int] | None = None
        self._look_at = 0.0
        self._unread_since: float | None = None
        self._problem = ""

    def find(self, secret: bytes) -> Key | None:
        """Returns the key with this secret, revoked or not, or None. Raises: KeysUnknown."""
        self.check()
        digest = hashlib.sha256(secret).hexdigest()
        key = self._keys.get(digest[:ID_CHARACTERS])
        return key if key is not None and hmac.compare_digest(key.sha256, digest) else None

    def check(self) -> None:
        """Looks at the file if it is time to. Raises: KeysUnknown if it could not be read for too long."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look(now)
        if self._unread_since is not None and now - self._unread_since >= self._trusted_s:
            raise KeysUnknown(self._problem)

    def _look(self, now: float) -> None:
        self._look_at = now + LOOK_EVERY_S
        try:
            self._read()
        except (KeyFileUnusable, OSError) as error:
            if self._unread_since is None:
                self._unread_since = now
                LOG.warning("keys_not_read error=%s", error)
            self._problem = str(error)
        else:
            self._unread_since = None

    def _read(self) -> None:
        """Raises: KeyFileUnusable, OSError."""
        try:
            state = self._file.path.stat()
        except FileNotFoundError:
            self._keys, self._seen = {}, None
            return
        seen = (state.st_mtime_ns, state.st_ino)
        if seen == self._seen and self._unread_since is None:
            return
        self._keys = {key.key_id: key for key in self._file.read()}
        # Only what was read was seen; what was written just now may be written again under the same time.
        self._seen = seen if time.time_ns() - state.st_mtime_ns > SETTLED_NS else None


def make_first_keys(settings: ServingSettings) -> None:
    """Sees to it that the two keys of this machine's own parts are there, in files only their owner reads.

    A file that is there already, such as a mounted secret, is adopted as it is.

    Raises: KeyFileUnusable.
    """
    file = KeyFile(settings.keys)
    _first(file, settings.predict_key_file, "predict.key", (Scope.PREDICT,))
    _first(file, settings.admin_key_file, "admin.key", (Scope.PREDICT, Scope.ADMIN))


def _first(file: KeyFile, path: Path, name: str, scopes: Sequence[Scope]) -> None:
    path = absolute(path)
    # Two workers that start at once make one key.
    with _locked(path, file.path.with_suffix(f".{name}.lock")):
        try:
            secret = read_plain(path).decode().strip()
        except FileNotFoundError:
            _, secret = file.add(name, scopes)
            write_private(path, secret + "\n")
            return
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileUnusable(path, str(error), _remedy(error)) from error
        if len(secret) < SHORTEST:
            raise KeyFileUnusable(path, f"it holds {len(secret)} characters, a key has {SHORTEST} at least")
        file.add(name, scopes, secret)


def _remedy(error: Exception) -> str:
    """Returns what to do where the rights are what is wrong, and not the file; empty otherwise."""
    if isinstance(error, OSError) and error.errno in FORBIDDEN:
        return "Give yourself the right to it and to its folder, or set CANOPY_HOME to a folder of your own."
    return ""


@contextmanager
def _locked(path: Path, lock: Path) -> Iterator[None]:
    """Keeps others from changing a file meanwhile. Raises: KeyFileUnusable."""
    held = FileLock(lock, timeout=LOCK_WITHIN_S)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except OSError as error:  # filelock's Timeout is one
        remedy = "Try again once nobody else changes it." if isinstance(error, Timeout) else _remedy(error)
        raise KeyFileUnusable(path, f"its lock {lock} cannot be had ({error})", remedy) from error
    try:
        yield
    finally:
        held.release()
