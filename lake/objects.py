"""Objects under one URI: a folder, or any S3. Written once, read often."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from contracts.errors import LandingConflict, ObjectMissing, StoreUnavailable
from lake.settings import LakeSettings

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
        """The whole object. Raises: ObjectMissing."""

    def exists(self, key: str) -> bool:
        """Whether there is an object under this key."""

    def keys(self, prefix: str) -> list[str]:
        """All keys below this folder, sorted; empty where there is none."""

    def url(self, key: str) -> str:
        """What DuckDB reads the object under."""

    def check(self) -> None:
        """Proves that an object can be written, by writing one. Raises: StoreUnavailable."""


def open_objects(settings: LakeSettings) -> Objects:
    """The store that the settings name."""
    return S3Objects(settings) if settings.is_s3 else FolderObjects(Path(settings.root))


class FolderObjects:
    """Objects as files. An object is whole or absent, also after a power cut."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_new(self, key: str, data: bytes) -> bool:
        """See `Objects`. A hard link is the one exclusive create that also is atomic."""
        target = self._root / key
        with self._written(target, data) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return _same(key, target.read_bytes(), data)
        _sync_folder(target.parent)
        return True

    def put(self, key: str, data: bytes) -> None:
        """See `Objects`."""
        target = self._root / key
        with self._written(target, data) as temporary:
            temporary.replace(target)
        _sync_folder(target.parent)

    def read(self, key: str) -> bytes:
        """See `Objects`."""
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            raise ObjectMissing(key) from None

    def exists(self, key: str) -> bool:
        """See `Objects`."""
        return (self._root / key).is_file()

    def keys(self, prefix: str) -> list[str]:
        """See `Objects`."""
        return sorted(
            os.path.relpath(Path(folder, name), self._root)
            for folder, _, names in os.walk(self._root / prefix)
            for name in names
            if not name.startswith(".")
        )

    def url(self, key: str) -> str:
        """See `Objects`."""
        return str(self._root / key)

    def check(self) -> None:
        """See `Objects`."""
        try:
            self.put(PROBE, b"")
            require_room(self._root)
        except OSError as error:
            raise StoreUnavailable(str(self._root), str(error)) from error

    @contextmanager
    def _written(self, target: Path, data: bytes) -> Iterator[Path]:
        """A synced temporary file beside the target, gone afterwards unless it was renamed."""
        _make_folder(target.parent)
        handle, name = tempfile.mkstemp(prefix=".", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


class S3Objects:
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
        """See `Objects`."""
        with self._answering():
            self._files.pipe_file(self._path(key), data)

    def read(self, key: str) -> bytes:
        """See `Objects`."""
        try:
            with self._answering():
                return bytes(self._files.cat_file(self._path(key)))
        except FileNotFoundError:
            raise ObjectMissing(key) from None

    def exists(self, key: str) -> bool:
        """See `Objects`."""
        with self._answering():
            return bool(self._files.isfile(self._path(key)))

    def keys(self, prefix: str) -> list[str]:
        """See `Objects`."""
        with self._answering():
            found = self._files.find(self._path(prefix))
        return sorted(path.removeprefix(f"{self._root}/") for path in found)

    def url(self, key: str) -> str:
        """See `Objects`."""
        return f"{self._uri}/{key}"

    def check(self) -> None:
        """See `Objects`."""
        self.put(PROBE, b"")

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except self._failures as error:
            raise StoreUnavailable(self._uri, str(error)) from error


def require_room(folder: Path) -> None:
    """Proves that a folder's disk has room for a response's objects.

    Raises: StoreUnavailable; OSError if the folder cannot be looked at.
    """
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise StoreUnavailable(str(folder), f"only {free} bytes are left on its disk")


def _same(key: str, there: bytes, wanted: bytes) -> bool:
    if there != wanted:
        raise LandingConflict(key)
    return False


def _make_folder(folder: Path) -> None:
    """Makes a folder whose name, and whose parents' names, are durable."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Makes a new name in a folder durable, not only the bytes behind it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
