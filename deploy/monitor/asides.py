"""Reports quarantined objects and files, in the lake and beside it, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from contracts.errors import ObjectMissing
from contracts.plain_files import absolute, read_plain
from contracts.put_away import QUARANTINE, REASON
from contracts.stack_settings import StackSettings
from deploy.home import is_known
from deploy.monitor.book import MOST_OF_A_KIND
from deploy.monitor.check import CheckResult, Figure, Finding, check_result
from deploy.monitor.settings import MonitorSettings
from expectations.settings import AuditSettings
from lake.catalog.keep import FOLDER as CATALOGS
from lake.objects import Objects
from lake.settings import LakeSettings
from serving.settings import ServingSettings
from source.settings import sources
from training.settings import TrainingSettings

INCOMING = "incoming"


class AsidesCheck:
    """An alert each, until a person has taken it out of the quarantine. A reason is read once.

    Args:
        objects: The store, with a quarantine of its own.
        folders: Folders of this machine that may have one, each with what its things are called by.
    """

    name, kinds = "quarantine", ("ThingQuarantined",)

    def __init__(self, objects: Objects, folders: Callable[[], dict[Path, str]] = dict) -> None:
        self._objects = objects
        self._folders = folders
        self._texts: dict[str, str] = {}

    def check(self, _now: datetime) -> CheckResult:
        """See `Check`."""
        keys = [key for key in self._objects.keys(QUARANTINE) if key.endswith(REASON)]
        reads = {
            _name(key.removeprefix(f"{QUARANTINE}/")): partial(_text, key, partial(self._objects.read, key))
            for key in keys
        }
        for folder, label in self._folders().items():
            for reason in _reasons_in(folder / QUARANTINE):
                read = partial(_text, str(reason), partial(read_plain, reason))
                reads.setdefault(_name(f"{label}/{reason.name}"), read)
        self._texts = {
            name: self._texts.get(name) or read() for name, read in list(reads.items())[:MOST_OF_A_KIND]
        }
        findings = [Finding("ThingQuarantined", name, self._texts.get(name, "")) for name in reads]
        return check_result(findings, [Figure("canopy_quarantined_things", len(reads))])


def quarantine_folders(stack: StackSettings, lake: LakeSettings) -> Callable[[], dict[Path, str]]:
    """Returns the folders whose quarantine nobody else tells of, each with what its things are called by.

    Of the lake's own the store tells, of the spool's the prediction service (PredictionsWaiting). What was
    put away in the folder of incoming responses is noted in the lake under the name that it has here.
    """
    serving = ServingSettings()
    beside = [serving.keys, serving.predict_key_file, serving.admin_key_file]
    folders = [stack.folder, serving.cache, *(file.parent for file in beside)]
    folders += [AuditSettings().folder, TrainingSettings().cache, MonitorSettings().folder]
    if lake.catalog_kind == "sqlite":
        folders.append(Path(lake.catalog_target).parent / CATALOGS)
    incoming = {absolute(source.incoming) for source in sources()}
    told = {absolute(serving.spool), *(() if lake.is_s3 else (absolute(Path(lake.root)),))}

    def found() -> dict[Path, str]:
        every = {absolute(folder) for folder in (*folders, *_known_in(stack.folder))} - told
        return {folder: str(folder) for folder in sorted(every)} | dict.fromkeys(incoming, INCOMING)

    return found


def _known_in(home: Path) -> Iterator[Path]:
    """Returns the folders that Canopy makes in its home; others may lie there too."""
    with suppress(OSError):
        yield from (entry for entry in home.iterdir() if is_known(entry.name) and entry.name != QUARANTINE)


def _reasons_in(folder: Path) -> Sequence[Path]:
    """Returns where the reason of each thing in a quarantine lies, or would lie."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in dict.fromkeys(name.removesuffix(REASON) + REASON for name in names)]


def _text(place: str, read: Callable[[], bytes]) -> str:
    try:
        fields = json.loads(read())
        return f"{fields['key']} was put aside: {fields['reason']} The reason is {place}."
    except (ObjectMissing, OSError, ValueError, KeyError, TypeError, RecursionError):
        return f"{place} cannot be read either."


def _name(key: str) -> str:
    """Returns what tells two of them apart also where a long key is cut short: the end of its name."""
    return key.removesuffix(REASON)[-110:]
