"""Proof that silver holds each landed row of bronze once, with its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.covertype import Column, covertype
from contracts.errors import NothingPublished, TablesDamaged
from lake.bronze.landings import Raw
from lake.catalog.connection import connect, current_snapshot
from lake.catalog.tables import has_table, reading
from lake.objects import Objects, open_objects
from lake.settings import LakeSettings
from pipeline.responses import OnStep
from pipeline.verify.observations import observation_faults

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLES = ("silver.landings", "silver.sightings", "silver.quarantine", "silver.observations")
REPLAY = "Run `canopy lake replay`: it builds silver anew"
# Bounds the memory: rows of bronze and of silver are joined for so many at a time.
ROWS_AT_ONCE = 60_000

# Beside each row of bronze its row in silver, and what is wrong with that; by landing.
COMPARE = r"""
with bronze as (
    select landing_id, position, source, group_number, batch_number, fetched_at, {typed},
        struct_pack({packed}) as source_values, list_contains($held::varchar[], landing_id) as is_held,
    from read_parquet($urls, hive_partitioning = false) as landed
),
judged as (
    select *, len(misfits) = 0 and not is_held as fits from (
        select *, list_filter([{misfits}], lambda name: name is not null) as misfits from bronze
    )
),
silver as (
    from (
        select *, true as is_accepted from silver.sightings where landing_id between $first and $last
        union all by name
        select *, false as is_accepted from silver.quarantine where landing_id between $first and $last
    ) where landing_id in (select unnest($ids))
),
paired as (
    select
        coalesce(judged.landing_id, silver.landing_id) as landing_id,
        coalesce(judged.position, silver.position, -1) as position,
        fits,
        case
            when judged.position is null then 'is not in the response'
            when silver.position is null then 'is missing'
            when is_accepted and not fits then 'is accepted, and does not fit the contract'
            when fits and not is_accepted then 'is in quarantine, and fits the contract'
            {values}
            when is_accepted and row_id is distinct from md5(concat_ws('|', {names}))
                then 'has a row_id that is not the hash of its values'
            when not is_accepted and silver.source_values is distinct from judged.source_values
                then 'has other source_values'
            when not is_accepted and list_transform(reasons, lambda reason: split_part(reason, ':', 2))
                is distinct from if(is_held, list_prepend('', misfits), misfits)
                then 'has reasons that are not its own'
            {provenance}
        end as problem
    from judged full join silver
        on judged.landing_id = silver.landing_id and judged.position = silver.position
)
select
    landing_id,
    count(*) - count(distinct position) as copies,
    count_if(fits) as accepted_rows,
    count(problem) as problems,
    min(position) filter (where problem is not null) as position,
    arg_min(problem, position) filter (where problem is not null) as problem
from paired
group by landing_id
order by landing_id
"""

# Landings that silver has not finished: a build is under way, or was killed.
UNFINISHED_LANDINGS = "select landing_id from silver.pending_landings where not is_finished"
UNFINISHED = """
select coalesce(landing_id, 'None') from (
    select landing_id from silver.sightings
    union select landing_id from silver.quarantine
    union select first_landing_id from silver.observations
) as known where not exists (
    from silver.landings as finished where finished.landing_id = known.landing_id
)
order by landing_id
"""


@dataclass(frozen=True)
class Landed:
    """A landing of bronze that was proven to hold its response's rows.

    Attributes:
        raw: The response.
        key: The row file.
        batch: The batch number.
        rows: How many rows it has.
        adapter: With which they were read.
    """

    raw: Raw
    key: str
    batch: int
    rows: int
    adapter: str


@dataclass(frozen=True)
class Silver:
    """What silver holds of bronze.

    Attributes:
        not_refined: Landings that it does not know yet.
        faults: One sentence for each thing that is not what it should be, with what to do.
    """

    not_refined: int
    faults: tuple[str, ...]


def newest_snapshot(lake: LakeSettings) -> int | None:
    """Returns the lake's newest snapshot; None where silver has never been built to its end."""
    try:
        with connect(lake) as connection:
            return current_snapshot(connection) if has_table(connection, TABLES[0]) else None
    except NothingPublished:
        return None


def verify_silver(
    lake: LakeSettings,
    snapshot_id: int,
    landed: Sequence[Landed],
    skipped: Collection[str],
    on_step: OnStep = lambda *_: None,
) -> Silver:
    """Compares silver with bronze, row for row.

    Args:
        lake: Where the lake is.
        snapshot_id: The snapshot to read silver at.
        landed: Landings of bronze that are whole; landings that came after the snapshot may be among them.
        skipped: Ids of landings that bronze itself is at fault with: nothing can be said of them here.
        on_step: Is told how far it is.
    """
    try:
        with connect(lake, snapshot_id=snapshot_id) as connection, reading():
            if missing := [table for table in TABLES if not has_table(connection, table)]:
                return Silver(len(landed), (f"The lake has no {missing[0]}. {REPLAY}",))
            return _Proof(connection, open_objects(lake), landed, skipped, on_step).run()
    except TablesDamaged as damage:
        return Silver(len(landed), (str(damage),))


class _Proof:
    """One look at silver; `faults` holds a sentence a landing, so that no damage is told twice."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        objects: Objects,
        landed: Sequence[Landed],
        skipped: Collection[str],
        on_step: OnStep,
    ) -> None:
        self._connection, self._objects, self._on_step = connection, objects, on_step
        self._bronze = {landing.raw.landing_id: landing for landing in landed}
        self._skipped = skipped
        self._faults: dict[str, str] = {}

    def run(self) -> Silver:
        records = self._records("from silver.landings order by landing_id", {})
        known = [str(record["landing_id"]) for record in records]
        unfinished = self._ids(UNFINISHED)
        self._look_for_unknown_landings(known, unfinished)
        rebuilt = set(self._unfinished())
        self._compare([record for record in records if record["landing_id"] not in rebuilt])
        skipped = sorted({*self._faults, *self._skipped, *rebuilt})
        distinct = observation_faults(self._connection, skipped, is_finished=not unfinished and not rebuilt)
        faults = [*self._faults.values(), *(f"{text}. {REPLAY}" for text in distinct)]
        return Silver(len(self._bronze.keys() - {*known}), tuple(faults))

    def _look_for_unknown_landings(self, known: Sequence[str], unfinished: Sequence[str]) -> None:
        """Looks for what silver holds and bronze does not, and for what it holds twice."""
        for landing_id in (*known, *unfinished):
            if landing_id not in self._bronze and landing_id not in self._skipped:
                self._fault(
                    landing_id, f"Silver knows the landing {landing_id}, and bronze has no rows of it"
                )
        for landing_id, count in Counter(known).items():
            if count > 1:
                self._fault(landing_id, f"silver.landings has {landing_id} {count} times")

    def _compare(self, records: Sequence[dict[str, Any]]) -> None:
        """Compares landing by landing; the rows of several in one query."""
        by_id = {record["landing_id"]: record for record in records}
        refined = [self._bronze[landing_id] for landing_id in sorted(by_id.keys() & self._bronze.keys())]
        query, done = _compare_query(), 0
        for chunk in _chunks(refined):
            ids = [landing.raw.landing_id for landing in chunk]
            urls = [self._objects.url(landing.key) for landing in chunk]
            held = [landing_id for landing_id in ids if by_id[landing_id].get("is_held")]
            values = {"urls": urls, "ids": ids, "held": held, "first": ids[0], "last": ids[-1]}
            for found in self._records(query, values):
                landing = self._bronze[found["landing_id"]]
                if text := _rows_fault(found) or _record_fault(by_id[found["landing_id"]], landing, found):
                    self._fault(found["landing_id"], f"{text} ({landing.key})")
            done += len(chunk)
            self._on_step("Landings in silver", done, len(refined))

    def _unfinished(self) -> list[str]:
        """Returns landings that a build began, perhaps for the second time, and did not bring to its end."""
        columns = self._ids("select column_name from (describe silver.pending_landings)")
        return self._ids(UNFINISHED_LANDINGS) if "is_finished" in columns else []

    def _ids(self, query: str) -> list[str]:
        return [str(value) for (value,) in self._connection.execute(query).fetchall()]

    def _fault(self, landing_id: str, text: str) -> None:
        self._faults.setdefault(landing_id, f"{text}. {REPLAY}")

    def _records(self, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        cursor = self._connection.execute(query, values)
        columns = [column[0] for column in cursor.description or []]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _rows_fault(found: dict[str, Any]) -> str | None:
    """Returns what is wrong with a landing's rows in silver."""
    landing_id = found["landing_id"]
    if found["problems"]:
        more = f", and {found['problems'] - 1} more are not as in bronze" if found["problems"] > 1 else ""
        return f"In silver, row {found['position']} of {landing_id} {found['problem']}{more}"
    if found["copies"]:
        return f"In silver, {found['copies']} rows of {landing_id} are there more than once"
    return None


def _record_fault(record: dict[str, Any], landing: Landed, found: dict[str, Any]) -> str | None:
    """Returns what silver.landings says otherwise of a landing."""
    provenance = landing.raw.provenance
    expected = {
        "source": provenance.source,
        "group_number": provenance.group,
        "batch_number": landing.batch,
        "fetched_at": provenance.fetched_at,
        "landed_rows": landing.rows,
        "accepted_rows": found["accepted_rows"],
        "quarantined_rows": landing.rows - found["accepted_rows"],
        "request_id": provenance.request_id,
        "sha256": landing.raw.sha256,
        "url": provenance.url,
        "client_version": provenance.client_version,
        "raw_key": landing.raw.key,
        "adapter": landing.adapter,
    }
    said = {"adapter": "none"} | record  # no such column, while there were no adapters
    for name, value in expected.items():
        if said[name] != value:
            return f"silver.landings: {name} of {record['landing_id']} is {said[name]!r}, not {value!r}"
    return None


def _compare_query() -> str:
    columns = covertype().columns
    values = [
        f"when is_accepted and silver.{name} is distinct from judged.{name} then 'has another {name}'"
        for name in _names()
    ]
    provenance = [
        f"when silver.{name} is distinct from judged.{name} then 'has another {name}'"
        for name in ("source", "group_number", "batch_number", "fetched_at")
    ]
    return COMPARE.format(
        typed=", ".join(f"{_typed(column)} as {column.name}" for column in columns),
        packed=", ".join(f'"{column.source_name}" := landed."{column.source_name}"' for column in columns),
        misfits=", ".join(
            f"case when {column.name} is null then '{column.source_name}' end" for column in columns
        ),
        names=", ".join(f"silver.{name}" for name in _names()),
        values="\n".join(values),
        provenance="\n".join(provenance),
    )


def _typed(column: Column) -> str:
    """Returns a value as the contract types it, or null where it does not fit."""
    value = f'landed."{column.source_name}"'
    if column.kind == "string":
        allowed = ", ".join("'" + choice.replace("'", "''") + "'" for choice in column.values)
        return f"case when {value} in ({allowed}) then {value} end"
    return (
        f"case when regexp_full_match({value}, '-?\\d+') and try_cast({value} as bigint) "
        f"between {column.minimum} and {column.maximum} then try_cast({value} as integer) end"
    )


def _names() -> list[str]:
    return [column.name for column in covertype().columns]


def _chunks(landed: Sequence[Landed]) -> Iterator[list[Landed]]:
    """Yields landings in order, so many together that their rows are few enough to be joined at once."""
    chunk: list[Landed] = []
    for landing in landed:
        if chunk and sum(each.rows for each in chunk) + landing.rows > ROWS_AT_ONCE:
            yield chunk
            chunk = []
        chunk.append(landing)
    if chunk:
        yield chunk
