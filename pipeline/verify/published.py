"""Proof of what a reader sees: the files of the tables, the rows of gold, the log and the analysts' file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.errors import NothingPublished, TablesDamaged
from lake.catalog.connection import connect
from lake.catalog.tables import reading
from lake.objects import open_objects
from lake.publish.analysts_file import KEY
from lake.publish.digests import (
    Files,
    TableFile,
    faults_of,
    file_digest,
    known_files,
    recorded_object,
    records_fault,
)
from lake.publish.pointer import newest_publication
from lake.publish.statistics import statistics_faults
from lake.settings import LakeSettings
from pipeline.responses import OnStep
from pipeline.verify.gold import BY_DIGEST_ONLY, gold_faults
from pipeline.verify.predictions import prediction_faults

REPLAY = "Run `canopy lake replay`: it builds the tables anew"
# What a replay does not make: the pointer's own history.
RESTORE = "Restore it from a backup"
OLDER = (
    "Only snapshots before the published one read it: restore it from a backup, or have "
    "`canopy lake compact` drop them when they are older than LAKE_KEEP_SNAPSHOTS_DAYS"
)


@dataclass(frozen=True)
class Published:
    """What readers see, as far as it is proven.

    Attributes:
        snapshot_id: The published snapshot; None if there is none.
        files: Files of tables that are what was recorded when they were written.
        not_recorded: Files that are newer than the last record; the next refine records them.
        digests_since: Since when digests are recorded, ISO 8601; None where none is.
        rows_proven: Tables of gold whose rows are those that silver and bronze give.
        by_digest_only: Tables of gold, and columns of others, that are proven by their files' digests alone.
        faults: One sentence for each thing that is not what it should be, with what to do.
    """

    snapshot_id: int | None = None
    files: int = 0
    not_recorded: int = 0
    digests_since: str | None = None
    rows_proven: tuple[str, ...] = ()
    by_digest_only: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def verify_published(lake: LakeSettings, on_step: OnStep = lambda *_: None) -> Published:
    """Compares files of tables with digests and statistics, and gold's rows with silver's and with the log.

    Args:
        lake: Where the lake is.
        on_step: Is told how far it is.
    """
    faults: list[str] = []
    try:
        with connect(lake) as connection:
            known = known_files(lake, connection)
            snapshot_id = None
            try:
                with reading():
                    publication = newest_publication(connection)
                    snapshot_id = publication.snapshot_id if publication else None
            except TablesDamaged as damage:
                faults.append(f"Nobody can read what is published: {damage}")
    except NothingPublished:
        return Published()
    whole: list[TableFile] = []
    for file, fault in _files(lake, known, on_step):
        if fault is None:
            whole.append(file)
        else:
            faults.append(f"{fault}. {_remedy(file, snapshot_id)}")
    for file, fault in _statistics(lake, whole):
        faults.append(f"{fault}. {_remedy(file, snapshot_id)}")
    if text := records_fault(known):
        faults.append(f"{text}. {REPLAY}, and their digests are recorded as they are written")
    proven: list[str] = []
    if snapshot_id is not None:
        found = list(_rows(lake, snapshot_id, on_step))
        faults += [text for _, text in found if text]
        faulty = {table for table, text in found if text}
        proven = [table for table in dict.fromkeys(table for table, _ in found) if table not in faulty]
        faults += _analysts_file(lake)
    return Published(
        snapshot_id=snapshot_id,
        files=len(whole),
        not_recorded=len(known.new),
        digests_since=known.since.isoformat(timespec="seconds") if known.since else None,
        rows_proven=tuple(proven),
        by_digest_only=BY_DIGEST_ONLY if snapshot_id is not None else (),
        faults=tuple(faults),
    )


def _files(lake: LakeSettings, known: Files, on_step: OnStep) -> Iterator[tuple[TableFile, str | None]]:
    wanted = [file for file in known.files if not known.is_new(file)]
    for number, (file, fault) in enumerate(zip(wanted, faults_of(lake, wanted), strict=True), 1):
        yield file, fault
        on_step("Files of the tables", number, len(wanted))


def _statistics(lake: LakeSettings, whole: list[TableFile]) -> Iterator[tuple[TableFile, str]]:
    with connect(lake) as connection:
        try:
            yield from statistics_faults(lake, connection, whole)
        except TablesDamaged as damage:
            yield whole[0], f"What the catalog keeps of the files cannot be read: {damage.__cause__}"


def _remedy(file: TableFile, snapshot_id: int | None) -> str:
    if file.table.startswith("published."):
        return RESTORE
    if file.end is not None and (snapshot_id is None or not file.is_in(snapshot_id)):
        return OLDER
    return REPLAY


def _rows(lake: LakeSettings, snapshot_id: int, on_step: OnStep) -> Iterator[tuple[str, str | None]]:
    with connect(lake, snapshot_id=snapshot_id) as connection:
        yield from gold_faults(connection, on_step)
        texts: list[str | None] = list(prediction_faults(connection, open_objects(lake), on_step))
        for text in texts or [None]:
            yield "gold.predictions", text


def _analysts_file(lake: LakeSettings) -> list[str]:
    again = "Run `canopy lake publish`: it makes the file anew"
    recorded = _recorded(lake)
    while recorded:  # a version of before recorded none
        found, before = file_digest(open_objects(lake), KEY), recorded
        recorded = _recorded(lake)
        if found in before | recorded:
            break
        if before != recorded:  # it was published anew while it was read
            continue
        if found is None:
            return [f"The analysts' file {KEY} is gone, or cannot be read. {again}"]
        return [
            f"The analysts' file {KEY} is not the one that was written: its sha256 is {found[1]}. {again}"
        ]
    return []


def _recorded(lake: LakeSettings) -> set[tuple[int, str]]:
    with connect(lake) as connection:
        return recorded_object(connection, KEY)
