"""Models on the local disk, so that serving starts while the registry is away."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from serving.model import MODEL_FILE
from serving.version import Version

LOG = logging.getLogger(__name__)
# Versions that are kept beside those that answer, for the way back.
KEPT_BESIDE = 1
PARTIAL = ".partial-"
PARTIAL_LIFETIME_S = 3600.0
PREPARED_WITHIN_S = 120.0


class ModelCache:
    """The folder of one registered model: a folder a version, and a note which one answered last."""

    def __init__(self, folder: Path, model_name: str, alias: str) -> None:
        self._folder = folder.expanduser().resolve() / model_name
        self._note = self._folder / f"{alias}.json"

    def fetch(self, version: Version, download: Callable[[Version, Path], Path]) -> Path:
        """The folder of a version; downloaded beside and renamed when it is whole.

        Raises: whatever `download` raises.
        """
        final = self._folder / version.folder_name
        if final.is_dir():
            return final
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=self._folder))
        try:
            files = download(version, partial)
            _prepare(files / MODEL_FILE)
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
        note.replace(self._note)
        self._forget_old(keep=version)

    def last_good(self) -> tuple[Version, Path] | None:
        """The version that answered last and its folder, or None."""
        try:
            version = Version.model_validate_json(self._note.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            LOG.warning("cache_note_unreadable path=%s error=%s", self._note, error)
            return None
        folder = self._folder / version.folder_name
        return (version, folder) if folder.is_dir() else None

    def discard(self, version: Version) -> None:
        """Removes a version that must not answer."""
        shutil.rmtree(self._folder / version.folder_name, ignore_errors=True)

    def _forget_old(self, keep: Version) -> None:
        # What another alias answers with is not ours to let go of.
        noted = {keep.folder_name, *self._noted()}
        whole = [path for path in self._folder.iterdir() if path.is_dir() and not _is_partial(path)]
        whole = [path for path in whole if path.name not in noted]
        whole.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        dead = [path for path in self._folder.glob(f"{PARTIAL}*") if _age_s(path) > PARTIAL_LIFETIME_S]
        for path in [*whole[KEPT_BESIDE:], *dead]:
            shutil.rmtree(path, ignore_errors=True)

    def _noted(self) -> Iterator[str]:
        """The folders of the versions that answered last, whatever their alias."""
        for note in self._folder.glob("*.json"):
            with suppress(OSError, ValidationError):
                yield Version.model_validate_json(note.read_bytes()).folder_name


def _prepare(model: Path) -> None:
    """Writes a forest's tables beside the model, in a process of its own; they save time, not truth."""
    command = [sys.executable, "-m", "serving.preparing", str(model)]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PREPARED_WITHIN_S, check=False
        )
    except (subprocess.SubprocessError, OSError) as error:
        LOG.warning("model_not_prepared model=%s error=%s", model, error)
    else:
        if ended.returncode:
            LOG.info("model_not_prepared model=%s reason=%s", model, ended.stderr.strip().rpartition("\n")[2])


def _is_partial(path: Path) -> bool:
    return path.name.startswith(PARTIAL)


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_mtime
