"""Models on the local disk, so that serving starts while the registry is away."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from contracts.model_artefact import MODEL_FILE
from contracts.plain_files import LARGEST_BYTES, absolute, open_plain, read_plain
from contracts.put_away import QUARANTINE, put_away
from contracts.version_signature import SIGNATURE_TAG
from serving.model.version import Version

LOG = logging.getLogger(__name__)
# Versions that are kept beside those that answer, for the way back.
KEPT_BESIDE = 1
PARTIAL = ".partial-"
SEAL = "files.json"
PARTIAL_LIFETIME_S = 3600.0


class ModelCache:
    """The folder of one registered model: a folder a version, and a note which one answered last."""

    def __init__(self, folder: Path, model_name: str, alias: str) -> None:
        self._folder = absolute(folder) / model_name
        self._note = self._folder / f"{alias}.json"
        self._signed = self._folder / f"{alias}.signed"

    def fetch(self, version: Version, download: Callable[[Version, Path], Path]) -> Path:
        """Returns the folder of a version; downloaded beside and renamed when it is whole.

        Raises: whatever `download` raises.
        """
        final = self._folder / version.folder_name
        if self._is_whole(final):
            return final
        for path in (self._folder, final):
            if os.path.lexists(path) and not path.is_dir():
                self.put_away(path, "it is no folder")
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=self._folder))
        try:
            files = download(version, partial)
            _seal(files)
            files.rename(final)
        except OSError:
            if not final.is_dir():  # else another worker was faster
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return final

    def remember(self, version: Version) -> None:
        """Notes that this version answers, and lets go of old ones."""
        note = self._note.with_suffix(f".{os.getpid()}")
        note.write_text(version.model_dump_json(indent=2), encoding="utf-8")
        if self._note.is_dir():
            self.put_away(self._note, "it is a folder")
        note.replace(self._note)
        if SIGNATURE_TAG in version.tags:
            self._signed.touch()
        self._forget_old(keep=version)

    @property
    def has_signed(self) -> bool:
        """Returns whether a version that the gate has signed has answered here; from then on no other may."""
        return self._signed.exists()

    def last_good(self) -> tuple[Version, Path] | None:
        """Returns the version that answered last and its folder, or None."""
        try:
            version = Version.model_validate_json(read_plain(self._note))
        except (OSError, ValidationError) as error:
            if not os.path.lexists(self._note):
                return None
            with suppress(OSError):
                self.put_away(self._note, f"it cannot be read: {str(error).partition(chr(10))[0]}")
            return None
        folder = self._folder / version.folder_name
        return (version, folder) if self._is_whole(folder) else None

    def _is_whole(self, folder: Path) -> bool:
        """Tells whether a version is there as it was written; puts it away if it is another."""
        if not folder.is_dir():
            return False
        fault = changed_file(folder)
        if fault is not None:
            self.put_away(folder, f"its {fault} is not what was written")
        return fault is None

    def put_away(self, path: Path, reason: str) -> None:
        """Keeps what cannot be used beside the folders of models. Raises: OSError."""
        put_away(path, reason, self._folder.parent / QUARANTINE)

    def discard(self, version: Version) -> None:
        """Removes a version that must not answer."""
        shutil.rmtree(self._folder / version.folder_name, ignore_errors=True)

    def _forget_old(self, keep: Version) -> None:
        # What another alias answers with is not ours to let go of.
        noted = {keep.folder_name, *self._noted()}
        ages_s = {
            path: time.time() - path.stat().st_mtime for path in self._folder.iterdir() if path.is_dir()
        }
        partial = [path for path in ages_s if path.name.startswith(PARTIAL)]
        whole = sorted(ages_s.keys() - partial, key=ages_s.__getitem__)
        old = [path for path in whole if path.name not in noted][KEPT_BESIDE:]
        for path in [*old, *(path for path in partial if ages_s[path] > PARTIAL_LIFETIME_S)]:
            shutil.rmtree(path, ignore_errors=True)

    def _noted(self) -> Iterator[str]:
        """Yields the folders of the versions that answered last, whatever their alias."""
        for note in self._folder.glob("*.json"):
            with suppress(OSError, ValidationError):
                yield Version.model_validate_json(read_plain(note)).folder_name


def changed_file(folder: Path) -> str | None:
    """Returns the first file of a version that is not what was written when it came, or None.

    It tells what a disk or a crash has spoilt from what is whole. Who may write here can write the seal as
    well: what may answer is what the gate has signed of the model's bytes (`serving/model/loaded.py`).
    """
    try:
        wanted = json.loads(read_plain(folder / SEAL))
    except FileNotFoundError:
        # It came before there were seals, or there is a link to nothing.
        if os.path.lexists(folder / SEAL):
            return SEAL
        return None if (folder / MODEL_FILE).is_file() else MODEL_FILE
    except (OSError, ValueError, RecursionError):
        return SEAL
    try:
        found = _digests(folder)
    except OSError:
        return "content"
    if not isinstance(wanted, dict):
        return SEAL
    return next((name for name in sorted(wanted) if found.get(name) != wanted[name]), None)


def _seal(folder: Path) -> None:
    """Notes the digests of all files of a version."""
    (folder / SEAL).write_text(json.dumps(_digests(folder)), encoding="utf-8")


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SEAL:
            with open_plain(path, LARGEST_BYTES) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[str(path.relative_to(folder))] = digest
    return found
