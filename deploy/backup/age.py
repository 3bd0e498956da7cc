"""A backup that only the holder of a key can read: one file, encrypted as age does it, names and all.

Inside it is a tar, written and read piece by piece, so that memory does not grow with the lake. age
authenticates each piece and the end; where the backup comes from it does not say.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from contracts.errors import BackupIncomplete, BackupUnusable, RestoreRefused, SettingsInvalid
from deploy.backup.files import (
    CONTENTS,
    Backup,
    Writer,
    as_text,
    copy_hashed,
    read_index,
    require_names,
)

SECRET = "AGE-SECRET-KEY-"  # noqa: S105  # how age begins one
ENCRYPTED = "backup.tar.age"
LONGEST_INDEX = 2**30


def recipients_of(texts: Sequence[str]) -> list[Any]:
    """Returns the keys that a backup is encrypted to: age's own (`age1…`), or SSH's.

    Raises: SettingsInvalid for the first that is none.
    """
    return [_recipient(text.strip()) for text in texts]


def _recipient(text: str) -> Any:
    import pyrage

    if text.upper().startswith(SECRET):
        remedy = "That is the secret key. Name the public one, which begins with age1."
        raise SettingsInvalid("--encrypt-to", f"{SECRET}…", remedy)
    try:
        return (pyrage.ssh if text.startswith("ssh-") else pyrage.x25519).Recipient.from_str(text)
    except pyrage.RecipientError:
        remedy = "It is a public key such as `age-keygen` prints (age1…), or an SSH key's line."
        raise SettingsInvalid("--encrypt-to", text, remedy) from None


def identities_of(file: Path) -> list[Any]:
    """Returns the secret keys in a file that `age-keygen` has written, or the one in an SSH key's.

    Raises: RestoreRefused if there is none.
    """
    import pyrage

    try:
        content = file.read_bytes()
        if content.startswith(b"-----BEGIN"):
            return [pyrage.ssh.Identity.from_buffer(content)]
        lines = [line.strip() for line in content.decode().splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except OSError as error:
        raise RestoreRefused(f"The key file {file} cannot be read: {error.strerror}.") from error
    except (pyrage.IdentityError, UnicodeDecodeError):
        found = []
    if not found:
        raise RestoreRefused(f"{file} holds no secret key of age or SSH. Name the one that does: --identity.")
    return found


class AgeWriter(Writer):
    """A backup on its way into a tar."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._files: dict[str, str] = {}

    def add(self, name: str, file: Path) -> str:
        """See `Writer`. A file that grows is taken as far as it went when it was opened."""
        require_names([name], BackupIncomplete)
        with file.open("rb") as source:
            hashed = _Hashed(source)
            state = os.fstat(source.fileno())
            self._put(name, state.st_size, hashed, state.st_mtime)
        self._files[name] = hashed.digest.hexdigest()
        return self._files[name]

    def seal(self) -> Backup:
        require_names(self._files, BackupIncomplete)
        backup = Backup(datetime.now(UTC).isoformat(timespec="seconds"), self._files)
        text = as_text(backup)
        self._put(CONTENTS, len(text), io.BytesIO(text))
        return backup

    def _put(self, name: str, size: int, source: Any, modified_at: float = 0) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, modified_at
        try:
            self._tar.addfile(member, source)
        except OSError as error:
            if str(error) == "unexpected end of data":
                raise BackupIncomplete(repr(name), "it became shorter while it was read") from error
            raise


class _Hashed:
    """A stream that is hashed while it is read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Reads on."""
        piece = self._source.read(size)
        self.digest.update(piece)
        return piece


@contextmanager
def encrypting(folder: Path, recipients: Sequence[Any]) -> Iterator[AgeWriter]:
    """Yields a backup that is written into one encrypted file of this folder."""
    import pyrage

    target = os.open(folder / ENCRYPTED, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(target, "wb") as written:

        def encrypt(plain: BinaryIO) -> None:
            pyrage.encrypt_io(plain, written, recipients)

        with _piped(encrypt, is_reading=True) as plain, tarfile.open(mode="w|", fileobj=plain) as tar:
            yield AgeWriter(tar)
        written.flush()
        os.fsync(written.fileno())


def decrypt(folder: Path, identities: Sequence[Any], target: Path) -> Backup:
    """Unpacks an encrypted backup into a folder that is given up if anything is wrong with it.

    Raises: RestoreRefused if no key fits; BackupUnusable if it was changed or cut off, or holds a link, a
        name that no backup gives, or a file that is not the one that its list names.
    """
    import pyrage

    source = os.open(folder / ENCRYPTED, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        with os.fdopen(source, "rb") as encrypted:

            def open_up(plain: BinaryIO) -> None:
                pyrage.decrypt_io(encrypted, plain, identities)

            with _piped(open_up, is_reading=False) as plain:
                backup = _unpack(plain, target)
                while plain.read(2**16):  # the end is authenticated too
                    pass
            return backup
    except pyrage.DecryptError as error:
        raise RestoreRefused(f"{folder / ENCRYPTED} cannot be opened with this key: {error}.") from error
    # The last two are a header's numbers, such as a time that is none.
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise BackupUnusable(ENCRYPTED, f"it was changed or cut off ({error})") from error


def require_encrypted(folder: Path) -> int:
    """Proves that the folder holds one encrypted file and nothing else. Returns: its bytes."""
    file = folder / ENCRYPTED
    others = sorted(entry.name for entry in folder.iterdir() if entry.name != ENCRYPTED)
    if others:
        raise BackupUnusable(repr(others[0]), "an encrypted backup has nothing beside it")
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise BackupUnusable(ENCRYPTED, "it is a link or no file, and a backup has neither")
    return found.st_size


def _unpack(plain: BinaryIO, target: Path) -> Backup:
    found: dict[str, str] = {}
    with tarfile.open(mode="r|", fileobj=plain) as tar:
        for member in tar:
            if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None:
                raise BackupUnusable(repr(member.name), "it is a link or no file, and a backup has neither")
            content: Any = tar.extractfile(member)
            if member.name == CONTENTS:
                return _matched(read_index(content.read(LONGEST_INDEX)), found)
            require_names([member.name], BackupUnusable)
            if member.name in found:
                raise BackupUnusable(repr(member.name), "it is there twice")
            found[member.name] = copy_hashed(content, target / member.name, member.mtime)
    raise BackupUnusable(CONTENTS, "it is not there. Without it a backup was cut off")


def _matched(backup: Backup, found: dict[str, str]) -> Backup:
    differing = sorted(set(backup.files.items()) ^ set(found.items()))
    if differing:
        raise BackupUnusable(repr(differing[0][0]), "it is not what the list of files says")
    return backup


@contextmanager
def _piped(work: Any, *, is_reading: bool) -> Iterator[BinaryIO]:
    """Yields the other end of a pipe whose one end a thread works on; what failed there first is raised."""
    reading, writing = os.pipe()
    theirs, ours = (reading, writing) if is_reading else (writing, reading)

    def run() -> None:
        with os.fdopen(theirs, "rb" if is_reading else "wb") as end:
            work(end)

    with ThreadPoolExecutor(1) as pool:
        done: Future[None] = pool.submit(run)
        try:
            with os.fdopen(ours, "wb" if is_reading else "rb") as stream:
                yield stream
        except (OSError, tarfile.TarError):
            if failure := done.exception():
                raise failure from None
            raise
    done.result()
