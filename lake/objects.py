"""Objects under one URI: a folder, or any S3. Written once, read often."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from contracts.errors import KeyInvalid, LandingConflict, ObjectMissing, ObjectUnreadable, StoreUnavailable
from contracts.outside import shown
from contracts.plain_files import is_something_else, open_plain, read_plain
from contracts.put_away import QUARANTINE, put_away
from lake.settings import LakeSettings

logger = logging.getLogger(__name__)

PROBE = ".writable"
# Room for the few objects of one response; a disk that is full to the last byte keeps none.
LEAST_FREE_BYTES = 16 * 2**20
# A store that takes connections and says nothing: s3fs itself asks five times, which makes minutes of this.
PATIENCE = {"connect_timeout": 5, "read_timeout": 20, "retries": {"total_max_attempts": 2}}


class Objects(Protocol):
    """What the layers need of a store; a key is a relative path with slashes."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Writes an object that must not be there yet.

        Returns: True if it was written, False if the same bytes were there already.
        Raises: LandingConflict if other bytes are there.
        """

    def put(self, key: str, data: bytes) -> None:
        """Writes or replaces an object, atomically."""

    def read(self, key: str) -> bytes:
        """Returns the whole object. Raises: ObjectMissing, ObjectUnreadable."""

    def put_file(self, key: str, file: Path) -> None:
        """Writes or replaces an object with a file's bytes, atomically; it need not fit into memory."""

    def fetch(self, key: str, file: Path, most: int) -> None:
        """Writes an object's bytes into a file, if it has so many at most.

        Raises: ObjectMissing; ObjectUnreadable, before a byte is written.
        """

    def exists(self, key: str) -> bool:
        """Returns whether there is an object under this key."""

    def keys(self, prefix: str) -> list[str]:
        """Returns all keys below this folder, sorted; empty where there is none."""

    def no_objects(self, prefix: str) -> list[str]:
        """Returns keys of what is no object in this folder: a pipe, a device, a link to nothing; sorted."""

    def url(self, key: str) -> str:
        """Returns what DuckDB reads the object under."""

    def remove(self, key: str) -> None:
        """Removes an object, or nothing where there is none. Raises: StoreUnavailable if it may not."""

    def is_link(self, key: str) -> bool:
        """Returns whether a key leads elsewhere: then its bytes are not the store's to copy."""

    def move_away(self, key: str, reason: str) -> bool:
        """Moves what cannot be read below `quarantine/`, with the reason. Returns: whether it could be."""

    def check(self) -> None:
        """Proves that an object can be written, by writing one. Raises: StoreUnavailable."""


def open_objects(settings: LakeSettings) -> Objects:
    """Returns the store that the settings name."""
    return S3Objects(settings) if settings.is_s3 else FolderObjects(Path(settings.root))


class FolderObjects(Objects):
    """Objects as files. An object is whole or absent, also after a power cut."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_new(self, key: str, data: bytes) -> bool:
        """See `Objects`. A hard link is the one exclusive create that also is atomic."""
        target = self._path(key)
        with self._writing(), self._written(target, data) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return _same(key, self.read(key), data)
            _sync_folder(target.parent)
        return True

    def put(self, key: str, data: bytes) -> None:
        self._replace(self._path(key), data)

    def read(self, key: str) -> bytes:
        with self._reading(key):
            return read_plain(self._path(key))

    def put_file(self, key: str, file: Path) -> None:
        with self._writing(), file.open("rb") as source:
            self._replace(self._path(key), source)

    def fetch(self, key: str, file: Path, most: int) -> None:
        with self._reading(key), open_plain(self._path(key), most) as source, file.open("wb") as target:
            shutil.copyfileobj(source, target)

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def remove(self, key: str) -> None:
        with self._writing():
            self._path(key).unlink(missing_ok=True)

    def is_link(self, key: str) -> bool:
        return self._path(key).is_symlink()

    def move_away(self, key: str, reason: str) -> bool:
        """See `Objects`. It is renamed: there is nothing in a pipe, and a file may not let itself be read."""
        try:
            self._put_away(self._path(key), reason)
        except OSError as error:
            logger.warning("set_aside_stays key=%s reason=%s", shown(key), error)
            return False
        return True

    def keys(self, prefix: str) -> list[str]:
        """See `Objects`. Whatever is no folder is named, such as a pipe: to read it says what it is."""
        return sorted(
            os.path.relpath(Path(folder, name), self._root)
            for folder, _, names in os.walk(self._root / prefix)
            for name in names
            if not name.startswith(".")
        )

    def no_objects(self, prefix: str) -> list[str]:
        return sorted(
            os.path.relpath(entry.path, self._root)
            for folder, _, _ in os.walk(self._root / prefix)
            for entry in os.scandir(folder)
            if not _is_plain(entry)
        )

    def url(self, key: str) -> str:
        return str(self._root / key)

    def check(self) -> None:
        self.put(PROBE, b"")
        with self._writing():
            require_room(self._root)

    def _replace(self, target: Path, data: bytes | BinaryIO) -> None:
        with self._writing(), self._written(target, data) as temporary:
            temporary.replace(target)
            _sync_folder(target.parent)

    def _path(self, key: str) -> Path:
        return self._root / _checked(key)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raises one sentence where a disk is full, or may not be written to."""
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(str(self._root), str(error)) from error

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        """Tells what is not there from what cannot be read, such as a pipe or a link to nothing."""
        try:
            yield
        except (FileNotFoundError, IsADirectoryError):
            if self._path(key).is_symlink():
                raise ObjectUnreadable(key, "it is a link to nothing") from None
            raise ObjectMissing(key) from None
        except OSError as error:
            raise ObjectUnreadable(key, str(error)) from error

    def _put_away(self, path: Path, reason: str) -> None:
        folder = self._root / QUARANTINE / path.parent.relative_to(self._root)
        put_away(path, reason, folder, root=self._root)

    def _make_way(self, target: Path) -> None:
        """Makes the folder of an object; what lies where a folder or the object must be is moved away."""
        self._make_folder(target.parent)
        if is_something_else(target, stat.S_ISREG):
            with suppress(FileNotFoundError):  # another process was faster
                self._put_away(target, "it lies where an object must be, and is no file")

    def _make_folder(self, folder: Path) -> None:
        """Makes a folder whose name, and whose parents' names, are durable."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        if is_something_else(folder, stat.S_ISDIR) and self._root in folder.parents:
            with suppress(FileNotFoundError):
                self._put_away(folder, "it lies where a folder must be, and is none")
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)

    @contextmanager
    def _written(self, target: Path, data: bytes | BinaryIO) -> Iterator[Path]:
        """Yields a synced temporary file beside the target, gone afterwards unless it was renamed."""
        self._make_way(target)
        handle, name = tempfile.mkstemp(prefix=".", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    shutil.copyfileobj(data, file)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


class S3Objects(Objects):
    """Objects in a bucket. `If-None-Match: *` makes a create exclusive."""

    def __init__(self, settings: LakeSettings) -> None:
        import s3fs  # half a second; a folder does not need it

        secret = settings.s3_secret_access_key
        # s3fs turns answers of the service into OSErrors, but not their absence.
        self._failures = (OSError, import_module("botocore.exceptions").BotoCoreError)
        self._root = settings.root.removeprefix("s3://")
        self._uri = settings.root
        self._files: Any = s3fs.S3FileSystem(
            key=settings.s3_access_key_id,
            secret=secret.get_secret_value() if secret else None,
            endpoint_url=settings.s3_endpoint_url,
            client_kwargs={"region_name": settings.s3_region},
            config_kwargs=PATIENCE,
            use_listings_cache=False,
        )

    def put_new(self, key: str, data: bytes) -> bool:
        """See `Objects`. moto answers a lost race with FileExistsError, Ceph with a plain OSError."""
        try:
            self._files.pipe_file(self._path(key), data, mode="create")
        except self._failures as error:
            if not self.exists(key):
                raise StoreUnavailable(self._uri, str(error)) from error
            return _same(key, self.read(key), data)
        return True

    def put(self, key: str, data: bytes) -> None:
        with self._answering():
            self._files.pipe_file(self._path(key), data)

    def read(self, key: str) -> bytes:
        with self._answering(key):
            return bytes(self._files.cat_file(self._path(key)))

    def put_file(self, key: str, file: Path) -> None:
        with self._answering():
            self._files.put_file(str(file), self._path(key))

    def fetch(self, key: str, file: Path, most: int) -> None:
        with self._answering(key):
            size = int(self._files.info(self._path(key), refresh=True)["size"])
            if size > most:
                raise ObjectUnreadable(key, f"it has {size:,} bytes, and {most:,} are read")
            self._files.get_file(self._path(key), str(file))

    def exists(self, key: str) -> bool:
        with self._answering():
            return bool(self._files.isfile(self._path(key)))

    def is_link(self, key: str) -> bool:
        """See `Objects`. No bucket has one."""
        del key
        return False

    def move_away(self, key: str, reason: str) -> bool:
        """See `Objects`. A bucket has nothing but objects: what it does not give, it does not move either."""
        logger.warning("set_aside_stays key=%s reason=%s", shown(key), reason)
        return False

    def keys(self, prefix: str) -> list[str]:
        """See `Objects`. A bucket takes any text for a key; one that leads out names nothing in it."""
        with self._answering():
            found = self._files.find(self._path(prefix))
        keys = sorted(path.removeprefix(f"{self._root}/") for path in found)
        odd = [key for key in keys if not _is_inside(key)]
        if odd:
            logger.info("keys_left_out prefix=%s count=%d first=%s", prefix, len(odd), shown(odd[0]))
        return [key for key in keys if _is_inside(key)]

    def no_objects(self, prefix: str) -> list[str]:
        """See `Objects`. A bucket has objects only, whatever the prefix."""
        del prefix
        return []

    def url(self, key: str) -> str:
        return f"{self._uri}/{key}"

    def remove(self, key: str) -> None:
        with suppress(FileNotFoundError), self._answering():
            self._files.rm_file(self._path(key))

    def check(self) -> None:
        self.put(PROBE, b"")

    def _path(self, key: str) -> str:
        return f"{self._root}/{_checked(key)}"

    @contextmanager
    def _answering(self, key: str | None = None) -> Iterator[None]:
        """Tells a store that does not answer from an object that is not there."""
        try:
            yield
        except FileNotFoundError:
            if key is None:
                raise
            raise ObjectMissing(key) from None
        except self._failures as error:
            raise StoreUnavailable(self._uri, str(error)) from error


def require_room(folder: Path, most: int = 0) -> None:
    """Proves that a folder's disk has room for a response's objects.

    Args:
        folder: On the disk.
        most: Bytes of the response itself, at most.

    Raises: StoreUnavailable; OSError if the folder cannot be looked at.
    """
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES + most:
        raise StoreUnavailable(str(folder), f"only {free} bytes are left on its disk")


def _checked(key: str) -> str:
    """Returns a key that leads nowhere but below the store's root. Raises: KeyInvalid."""
    if not _is_inside(key):
        raise KeyInvalid(key)
    return key


def _is_inside(key: str) -> bool:
    return not (key.startswith("/") or ".." in key.split("/") or "\x00" in key)


def _is_plain(entry: os.DirEntry[str]) -> bool:
    """Returns whether an entry is a file or a folder, or leads to one; links in a circle lead nowhere."""
    try:
        return entry.is_file() or entry.is_dir()
    except OSError:
        return False


def _same(key: str, there: bytes, wanted: bytes) -> bool:
    if there != wanted:
        raise LandingConflict(key)
    return False


def _sync_folder(folder: Path) -> None:
    """Makes a new name in a folder durable, not only the bytes behind it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
