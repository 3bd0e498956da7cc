"""The tree of errors that Canopy expects.

    CanopyError                     what a person can act on; the CLI prints it without a traceback
    ├── ContractInvalid             covertype.yaml lacks something that the code relies on
    ├── SettingsInvalid             a setting has a value that cannot work
    ├── MachineRefused              the disk, the rights, the memory or the network do not let it happen
    ├── Defect                      nobody expected this: a mistake of Canopy's
    ├── SettingUnknown              a name is set that is no setting, and was meant as one
    ├── SettingsFileUnreadable      `.env` is there and cannot be read
    ├── SourceError                 the upstream API
    │   ├── SourceUnavailable       refused, timed out, 5xx, connection cut: worth a retry
    │   ├── SourceRefused           it does not accept the group or the request
    │   ├── SourceEnded             no group has a batch for us, or ever had
    │   ├── ResponseBroken          it answered 200 with something that is not the contract
    │   └── ResponseTooLarge        it answered 200 with more than is taken
    ├── RowsUnreadable              a file of rows for the simulator or for predictions
    ├── OutputUnknown               a file's name does not say in which format it is to be written
    ├── LakeError                   objects and catalog
    │   ├── LandingConflict         bronze holds other bytes under this key
    │   ├── RawDamaged              a raw object is not what its key promises
    │   ├── RowsDamaged             a row file of bronze is no Parquet
    │   ├── NotHeld                 a landing is to be released that is not held back
    │   ├── TablesDamaged           a table of the lake cannot be read
    │   ├── FilesChanged            a file of a table is not what was written
    │   ├── ClockDoubted            the clock has jumped, and what is old cannot be known
    │   ├── ObjectMissing           an object that something refers to is gone
    │   ├── ObjectUnreadable        an object is there, and its disk does not give it
    │   ├── KeyInvalid              a key leads out of the store
    │   ├── StoreUnavailable        the object store does not answer
    │   ├── CatalogUnusable         the catalog cannot be attached: damaged, moved or not reached
    │   ├── ExtensionMissing        a DuckDB extension is not installed
    │   ├── NothingPublished        no snapshot has been published yet
    │   ├── SnapshotMissing         there is no such snapshot, or no longer
    │   ├── RequestUnknown          no prediction in the lake has this request id
    │   ├── QueryFailed             DuckDB could not answer a query
    │   │   ├── QueryTooLong        it did not end within its time
    │   │   └── QueryTooLarge       it took more memory, or gave more bytes, than it may
    │   ├── QueryWrites             a query would change something
    │   ├── QueryRefused            a query uses what is not for those who only read
    │   ├── QueriesBusy             as many queries as may run are running
    │   ├── ShellMissing            DuckDB's command line is not installed
    │   ├── LakeBusy                another program is writing to the lake
    │   └── BuildFailed             dbt did not build, or its tests failed
    ├── AuditFailed                 Great Expectations found something; the pointer has not moved
    │   └── NothingLanded           no row has ever landed, so there is nothing to publish
    ├── TrainingError               gold -> model
    │   ├── TooFewRows              not enough rows or classes to learn from and test on
    │   ├── CandidateUnknown        there is no such way to learn
    │   ├── ParametersInvalid       a way to learn cannot be set like this
    │   ├── ExtraMissing            a way to learn needs a library that is not installed
    │   ├── NothingFound            no trial of a search came to its end
    │   ├── NotAwaiting             a person answers for a version that waits for nobody
    │   ├── RunUnknown              there is no such run, or it was not made by `canopy train`
    │   ├── NotReproduced           a run came out differently
    │   ├── ChampionUnsigned        what bears the alias is not what the gate has signed
    │   └── ParityBroken            ONNX and the library that grew the model disagree
    ├── ServingError                model -> prediction
    │   ├── ModelMissing            nothing is promoted, or it cannot be loaded
    │   │   └── VersionMissing      the model has no version of this number
    │   ├── ModelRefused            a version is promoted that must not answer
    │   ├── OutsideContract         a prediction request is outside the contract
    │   ├── FileUnreadable          a file of rows to predict is not what its content type says
    │   ├── KeyFileUnusable         API keys cannot be read
    │   ├── KeysUnknown             who may ask cannot be known at present
    │   ├── KeyUnknown              there is no such API key
    │   ├── PredictionRefused       the service did not accept a row, or could not answer
    │   ├── ServiceBusy             the service cannot take this request now
    │   ├── ServiceRefused          a part answered over HTTP, and does not do what was asked
    │   └── ServiceUnavailable      a part that must answer over HTTP does not
    │       └── SignInRefused       it does not accept who asks, or no longer
    └── StackError                  the local stack, and the one in containers
        ├── SecretsUnusable         the stack's secrets cannot be read
        ├── BackupIncomplete        a backup would lack something, and was not kept
        ├── BackupUnusable          a backup is not whole
        ├── BackupRefused           a backup cannot be made as things are
        ├── RestoreRefused          a backup cannot be put back as things are
        ├── EngineMissing           no container engine, or no Compose, answers
        ├── EngineFailed            the engine could not do what it was told
        ├── HomeNotMarked           a folder is to be put aside that Canopy has not made
        ├── PortTaken               another program listens there
        ├── DemoStuck               the demo waits for something that does not come
        ├── PartDied                a part ended by itself
        ├── FolderTaken             pages would take the place of something else
        └── PagesBroken             the documentation's pages could not be built

Every message says what is wrong, with which value, and what to do next. An error that is raised by
one package only may live here all the same: this is where a reader looks for the whole tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.outside import masked, masked_text, masked_url, shown, shown_lines

# Bounds every message, whatever was put into it.
LONGEST_MESSAGE = 20_000

# What to do about a lake in a folder, and about a catalog in a file.
FOLDER_REMEDY = (
    "Look at that folder's permissions and at the room on its disk, or set LAKE_URI to a folder of your own."
)
CATALOG_REMEDY = (
    "Check LAKE_CATALOG and LAKE_URI: a catalog belongs to one lake. If it is damaged, move its file away "
    "and run `canopy lake replay`: bronze holds all that it takes to make it anew."
)


class CanopyError(Exception):
    """Something that a person can act on.

    Its message is harmless on a terminal and in a log, whatever outside text it repeats: control characters
    are escaped, and where it may have several lines, all but the first are indented.
    """

    exit_status = 1
    has_lines = False

    def __init__(self, message: str = "") -> None:
        make = shown_lines if self.has_lines else shown
        super().__init__(make(message, LONGEST_MESSAGE))


def error_of(kind: str, message: str) -> CanopyError | None:
    """Returns the error that another process has raised, with what it said; None where it is none of these.

    Args:
        kind: The class, by name.
        message: What it said: text from outside, if the process had read some.
    """
    known = globals().get(kind)
    if not (isinstance(known, type) and issubclass(known, CanopyError)):
        return None
    error: CanopyError = known.__new__(known, message)
    CanopyError.__init__(error, message.replace("\n  ", "\n"))  # it was indented there already
    return error


def fault_text(fault: Mapping[str, object]) -> str:
    """Returns what is wrong with one value: `row 8, slope_deg=110; allowed is integer from 0 to 90`."""
    where = f"row {fault['row']}, " if fault.get("row") is not None else ""
    what = f"{fault['field']}={fault.get('value')!r}" if fault.get("field") else repr(fault.get("value"))
    if fault.get("reason") == "missing":
        what = f"{fault['field']} is missing"
    return f"{where}{what}; allowed is {fault.get('allowed')}"


def faults_text(faults: Sequence[Mapping[str, object]]) -> str:
    """Returns what is wrong first: all columns that are missing, or one value."""
    missing = [str(one["field"]) for one in faults if one["row"] is None and one["reason"] == "missing"]
    if missing:
        return f"it lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}"
    first = faults[0]
    if first["row"] is None and first["field"] == "rows" and first["reason"] == "count":
        return f"it has {first['value']}; allowed is a {first['allowed']}"
    return f"in {'the request, ' * (first['row'] is None)}{fault_text(first)}"


class ContractInvalid(CanopyError):
    """`covertype.yaml` lacks something that the code relies on."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"The data contract {path} is not usable: {what}. Correct the file.")


class SettingsInvalid(CanopyError):
    """A setting has a value that cannot work."""

    exit_status = 2

    def __init__(self, name: str, value: object, remedy: str) -> None:
        self.name = name
        super().__init__(f"The setting {name}={shown(repr(masked(name, value)))} cannot work. {remedy}")


class MachineRefused(CanopyError):
    """The disk, the rights, the memory or the network of this machine do not let something happen."""

    exit_status = 71


class Defect(CanopyError):
    """Something went wrong that nobody has expected: a mistake of Canopy's."""

    exit_status = 70

    def __init__(self, error: BaseException, file: Path | None) -> None:
        place = f"The whole of it is in {file}" if file else "There was no room to write down the whole of it"
        said = masked_text(shown(str(error) or "no reason given", 300))
        super().__init__(f"Canopy made a mistake: {type(error).__name__}: {said}. {place}; please report it.")


class SettingUnknown(CanopyError):
    """A name is set that is no setting, and was meant as one."""

    exit_status = 2

    def __init__(self, name: str, meant: str | None, constant: str | None = None) -> None:
        remedy = f"{meant} is: give it that name" if meant else ".env.example lists what is: correct the name"
        if constant:
            remedy = f"it is the constant {constant} now: change it there"
        super().__init__(f"{name} is set and is no setting; {remedy}, or take it out.")


class SettingsFileUnreadable(CanopyError):
    """The file of settings is there and cannot be read."""

    exit_status = 2

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"The file of settings {path} cannot be read: {why}")


class SourceError(CanopyError):
    """The upstream API did not do what was asked."""

    exit_status = 3


class SourceUnavailable(SourceError):
    """The source did not answer, or not to the end. Asking again later is right."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"The source at {shown(url)} is unavailable: {shown(reason)}. Asking again later is right."
        )


class SourceRefused(SourceError):
    """The source does not accept the request."""

    def __init__(self, url: str, status: int, detail: str) -> None:
        super().__init__(
            f"The source refused {shown(url)} with {status}: {shown(detail)}. "
            "Check SOURCE_GROUPS and SOURCE_URL."
        )


class SourceEnded(SourceError):
    """The source has no batch for any of the groups, and had none before."""

    def __init__(self, said: str, group: int) -> None:
        super().__init__(
            f"The source is at its end, and nothing has landed ({shown(said)}). Set SOURCE_GROUPS to a group "
            f"that nobody has collected, or let one begin again with `canopy source restart --group {group}`."
        )


class ResponseBroken(SourceError):
    """The source answered 200 with something that is not the contract."""

    def __init__(self, difference: str, raw_key: str) -> None:
        super().__init__(
            f"The response does not fit the contract: {shown(difference)}. No row was landed; the response "
            f"is kept byte for byte under {raw_key!r}."
        )


class ResponseTooLarge(SourceError):
    """The source answered 200 with more than is taken."""

    def __init__(self, reason: str, kept: str) -> None:
        super().__init__(
            f"The response was given up: {shown(reason)}. No row was landed; its beginning is kept under "
            f"{kept!r}. Where it is right as it is, raise SOURCE_RESPONSE_BYTES."
        )


class RowsUnreadable(CanopyError):
    """A file of rows cannot be used."""

    def __init__(self, path: object, what: str, remedy: str = "") -> None:
        said = f"The rows in {shown(path)} cannot be used: {shown(what, 2_000).rstrip('.')}."
        super().__init__(f"{said} {remedy}".rstrip())


class OutputUnknown(CanopyError):
    """A file's name does not say in which format it is to be written."""

    exit_status = 2

    def __init__(self, path: object, endings: Sequence[str]) -> None:
        known = f"{', '.join(endings[:-1])} or {endings[-1]}"
        super().__init__(f"The answers cannot be written to {shown(path)}: its name must end in {known}.")


class LakeError(CanopyError):
    """Objects or catalog."""

    exit_status = 4


class LandingConflict(LakeError):
    """Bronze already holds other bytes under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Bronze already holds other bytes at {key!r}. Landings are written once: "
            "run `canopy lake verify` to see which of the two is whole."
        )


class RawDamaged(LakeError):
    """A raw object's bytes are not those that its key promises."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"The raw object {key!r} is damaged: {shown(what)}. Restore it from a backup.")


class RowsDamaged(LakeError):
    """A row file of bronze cannot be read."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(
            f"The row file {key!r} cannot be read: {shown(what)}. `canopy lake replay` writes it anew."
        )


class NotHeld(LakeError):
    """A landing is to be released that is not held back."""

    def __init__(self, landing_id: str) -> None:
        super().__init__(
            f"The landing {landing_id!r} is not held back, so it cannot be released. `canopy lake held` "
            "lists those that are."
        )


class TablesDamaged(LakeError):
    """What DuckDB has written cannot be read."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The lake's tables cannot be read: {what}. Run `canopy lake replay`: it builds them anew."
        )


class FilesChanged(LakeError):
    """A file of a table is not what was written, or nobody knows what was."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}. Nothing is made from it. `canopy lake verify` lists all such files, and "
            "`canopy lake replay` builds the tables anew from the responses."
        )


class ClockDoubted(LakeError):
    """The clock is far beyond what the lake knew before: nothing is removed because of its age."""

    def __init__(self, now: datetime, before: datetime) -> None:
        super().__init__(
            f"This clock says {now:%Y-%m-%d %H:%M} UTC, and the lake knows of nothing between "
            f"{before:%Y-%m-%d %H:%M} and a short while ago: nothing is removed as old. If the clock is "
            "wrong, set it; if it is right, and the lake was at rest, `canopy lake compact` goes on a day "
            "after it was first tried."
        )


class ObjectMissing(LakeError):
    """An object that something refers to is gone."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The lake has no object {key!r}. Restore it from a backup.")


class ObjectUnreadable(LakeError):
    """An object is there, and its disk or the file's rights do not give it."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(
            f"The object {key!r} cannot be read: {shown(reason)}. Look at its disk and its rights, or "
            "restore it from a backup."
        )


class KeyInvalid(LakeError):
    """A key leads out of the store."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{shown(repr(key))} is no key of an object: it leads out of the store. "
            "Look at what it came from."
        )


class StoreUnavailable(LakeError):
    """The object store does not answer, or refuses the keys; or the lake's folder cannot be written."""

    def __init__(self, uri: str, reason: str) -> None:
        is_folder = "://" not in uri
        super().__init__(
            f"The {'folder' if is_folder else 'object store'} {shown(uri)} cannot be used: "
            f"{shown(masked_text(reason))}. {FOLDER_REMEDY if is_folder else 'Check LAKE_URI and its keys.'}"
        )


class CatalogUnusable(LakeError):
    """The catalog cannot be attached."""

    def __init__(self, catalog: str, reason: str, remedy: str = "") -> None:
        super().__init__(
            f"The lake's catalog {masked_text(catalog)} cannot be used: {masked_text(reason)} "
            f"{remedy or CATALOG_REMEDY}"
        )


class ExtensionMissing(LakeError):
    """A DuckDB extension is not installed for this DuckDB."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"DuckDB {version} has no extension {name!r} here that can be loaded. Install the package "
            f"duckdb-extension-{name.replace('_', '-')} in the same version anew."
        )


class NothingPublished(LakeError):
    """No snapshot has been published yet."""

    def __init__(
        self,
        what: str = "There is nothing published yet",
        remedy: str = "Run `canopy collect` and `canopy refine` first.",
    ) -> None:
        super().__init__(f"{what}. {remedy}")


class SnapshotMissing(LakeError):
    """There is no such snapshot, or no longer."""

    def __init__(self, at: str, reason: str) -> None:
        super().__init__(
            f"There is no snapshot {at!r}: {reason}. `canopy lake publications` lists what was published."
        )


class RequestUnknown(LakeError):
    """No prediction in the lake has this request id."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"No prediction in the lake has the request id {request_id!r}. Take it from the service's reply; "
            "it reaches the lake half a minute later, or when the store is back, and is read from the next "
            "refine on (`canopy refine` makes one now)."
        )


class QueryFailed(LakeError):
    """DuckDB could not answer a query."""

    has_lines = True  # DuckDB draws a mark below the place in the query

    def __init__(self, query: str, reason: str) -> None:
        super().__init__(f"The query {query!r} failed: {masked_text(reason)}")


class QueryTooLong(QueryFailed):
    """A query did not end within its time."""

    def __init__(self, query: str, seconds: float) -> None:
        super().__init__(query, f"it was stopped after {seconds:g} s. Ask for less: a filter, or fewer rows")


class QueryTooLarge(QueryFailed):
    """A query took more memory than it may, or its answer is larger than one may be."""

    def __init__(self, query: str, limit: str) -> None:
        super().__init__(query, f"it was stopped: {limit}. Ask for less: a filter, fewer rows or columns")


class QueryRefused(LakeError):
    """A query uses what is not for those who only read the lake."""

    def __init__(self, query: str, what: str, reason: str) -> None:
        super().__init__(f"The query {query!r} is refused: it uses {what}, and {reason}.")
        self.what = what
        self.reason = reason


class QueriesBusy(LakeError):
    """As many queries as may run at once are running."""

    def __init__(self, most: int, waited_s: float) -> None:
        super().__init__(
            f"{most} queries are running, and no more run at once; waited {waited_s:g} s. "
            "Try again in a moment."
        )


class QueryWrites(LakeError):
    """A query would change something, and queries only read."""

    def __init__(self, query: str, kind: str = "") -> None:
        what = f"it has a statement of the kind {kind}" if kind else "it would change the lake"
        super().__init__(
            f"The query {query!r} is refused: {what}, and `canopy sql QUERY` only reads. An answer goes into "
            "a file by --output; tables of your own can be made in the shell, which `canopy sql` opens."
        )


class ShellMissing(LakeError):
    """DuckDB's command line is not installed, or not in the version of the library."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"The shell needs DuckDB's command line {version}, and it is not here. Install the package "
            "duckdb-cli in that version, or give a query to `canopy sql`."
        )


class LakeBusy(LakeError):
    """Another program is writing to the lake, and has not come to an end."""

    def __init__(self, lock: str, waited_s: float) -> None:
        super().__init__(
            f"Another program holds {lock} and writes to the lake; waited {waited_s:.0f} s. See what it does "
            "with `canopy status`, or close the database browser that has it open, then try again."
        )


class BuildFailed(LakeError):
    """dbt did not build, or one of its tests failed."""

    def __init__(self, failures: list[str]) -> None:
        super().__init__(
            "dbt failed; nothing was published. " + "; ".join(failures or ["see the log"]) + ". "
            "The log is in dbt's target folder."
        )
        self.failures = failures


class AuditFailed(CanopyError):
    """An audit found something; the published pointer has not moved."""

    exit_status = 5

    def __init__(self, suite: str, failures: list[str], held: list[str] | None = None) -> None:
        self.held = held or []
        super().__init__(
            f"The audit {suite!r} failed; what was published stays published. {'; '.join(failures)}. "
            f"{self._held_back()}"
            "The limits are the settings that begin with AUDIT_; the pages lie in AUDIT_FOLDER."
        )

    def _held_back(self) -> str:
        if not self.held:
            return ""
        names = ", ".join(self.held[:5]) + (f" and {len(self.held) - 5} more" if len(self.held) > 5 else "")
        return (
            f"Held back: {names}; the next `canopy refine` leaves these landings out and publishes the rest. "
            "Where one is right as it is, let it in with `canopy lake release LANDING`. "
        )


class NothingLanded(AuditFailed):
    """No row of the source has ever landed, so there is nothing to audit and to publish."""

    def __init__(self, refused: int) -> None:
        self.held = []
        count = "the one response was" if refused == 1 else f"all {refused} responses were"
        why = f": {count} refused, with the reasons below bronze/refused in the lake" if refused else ""
        remedy = "Correct SOURCE_URL or SOURCE_ADAPTER, then run" if refused else "Run"
        first = f"Nothing has landed, so there is nothing to publish{why}."
        CanopyError.__init__(self, f"{first} {remedy} `canopy collect` first.")


class TrainingError(CanopyError):
    """Gold could not be turned into a model."""

    exit_status = 6


class TooFewRows(TrainingError):
    """There are not enough rows to learn from and to test on."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is too little to learn from: {what}. Collect more batches first.")


class CandidateUnknown(TrainingError):
    """There is no such way to learn."""

    exit_status = 2

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"There is no candidate {name!r}. Set TRAINING_CANDIDATE to one of {', '.join(known)}."
        )


class ParametersInvalid(TrainingError):
    """A way to learn cannot be set like this."""

    exit_status = 2

    def __init__(self, name: str, wrong: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(
            f"The candidate {name!r} cannot be set so: {'; '.join(wrong)}. "
            f"Correct TRAINING_PARAMETERS; it can have {', '.join(known)}."
        )


class ExtraMissing(TrainingError):
    """A way to learn needs a library that is not installed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The candidate {name!r} needs a library that is not installed ({reason}). "
            f"Install it with `pip install canopy[{name}]`, or choose another TRAINING_CANDIDATE."
        )


class NothingFound(TrainingError):
    """No trial of a search came to its end."""

    def __init__(self, megabytes: float, milliseconds: float) -> None:
        super().__init__(
            f"No trial came to its end in time, below {megabytes:g} MB and {milliseconds:g} ms a row. "
            "Give it more `--seconds`, or raise TRAINING_MAXIMUM_MEGABYTES or TRAINING_MAXIMUM_LATENCY_MS."
        )


class NotAwaiting(TrainingError):
    """A person answers for a version that waits for nobody."""

    exit_status = 2

    def __init__(self, version: int, verdict: str) -> None:
        super().__init__(
            f"Version {version} does not wait for a person's approval: it is {verdict}. "
            "`canopy models` lists those that do; `canopy promote` takes any."
        )


class RunUnknown(TrainingError):
    """There is no such run, or it was not made by `canopy train`."""

    exit_status = 2

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__(
            f"The run {run_id!r} cannot be trained again: {reason}. `canopy models 3` shows version 3's run."
        )


class NotReproduced(TrainingError):
    """A run came out differently."""

    def __init__(self, run_id: str, differing: Sequence[str]) -> None:
        super().__init__(
            f"The run {run_id} came out differently: {'; '.join(differing)}. "
            "Check out its code revision and install its lock, then try again."
        )


class ChampionUnsigned(TrainingError):
    """What bears the champion's alias is not what the gate has signed."""

    def __init__(self, version: int, reason: str) -> None:
        super().__init__(
            f"Nothing is judged beside version {version}, which bears the alias champion: {reason}. "
            "`canopy promote` signs it, or puts another version in its place, once a person has looked at it."
        )


class ParityBroken(TrainingError):
    """ONNX and the library that grew the model do not give the same answers."""

    def __init__(self, differing: int, rows: int) -> None:
        super().__init__(
            f"The ONNX model answers {differing} of {rows} rows differently from the library that grew it. "
            "It was not registered."
        )


class ServingError(CanopyError):
    """A prediction could not be made."""

    exit_status = 7


class ModelMissing(ServingError):
    """There is no model to answer with."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"There is no model {model!r} to answer with: {reason}. Run `canopy train`.")


class VersionMissing(ModelMissing):
    """The model has no version of this number."""

    def __init__(self, model: str, number: int, known: Sequence[int]) -> None:
        listed = ", ".join(map(str, known))
        remedy = f"there are {listed}: name one of those" if len(known) > 1 else f"there is {listed}: name it"
        remedy = remedy if known else "there is none yet: run `canopy train`"
        ServingError.__init__(self, f"The model {model!r} has no version {number}; {remedy}.")


class PredictionRefused(ServingError):
    """The service did not accept a row, or could not answer."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        faults = [fault_text(item) for item in problem.get("errors", [])]
        detail = str(problem.get("detail") or "; ".join(faults))
        is_of_rows = any(item.get("row") is not None for item in problem.get("errors", []))
        is_more = is_of_rows and len(faults) > 1 and problem.get("detail")
        more = f" All of them: {'; '.join(faults)}." if is_more else ""
        super().__init__(f"The prediction service answered {status}: {shown(detail + more, 2_000)}")
        self.status = status
        self.problem = problem


class ModelRefused(ServingError):
    """A version is promoted that must not answer."""

    def __init__(self, model: str, version: str, reason: str) -> None:
        super().__init__(
            f"Version {version} of the model {model!r} is refused: {reason}. What answered before keeps "
            "answering; promote another version."
        )


class OutsideContract(ServingError):
    """A prediction request is outside the contract."""

    def __init__(self, violations: Sequence[Mapping[str, object]], total: int, note: str = "") -> None:
        is_whole = all(fault["row"] is None for fault in violations)
        listed = f" {total} values in all; `errors` lists {len(violations)} of them." if total > 1 else ""
        more = "" if is_whole else listed
        super().__init__(
            f"Nothing was predicted: {faults_text(violations)}.{more}{' ' * bool(note)}{note} "
            f"Correct {'it' if total == 1 else 'them'} and send the request again."
        )
        self.violations = violations
        self.total = total
        self.note = note


class FileUnreadable(ServingError):
    """A file of rows to predict is not what its content type says."""

    def __init__(self, kind: str, reason: str, remedy: str = "") -> None:
        said = f"The body cannot be read as {kind}: {shown(reason).rstrip('.')}. Nothing was predicted."
        super().__init__(f"{said} {remedy}".rstrip())


class KeyFileUnusable(ServingError):
    """A file with API keys cannot be used."""

    exit_status = 2

    def __init__(self, path: Path, reason: str, remedy: str = "") -> None:
        usual = "Correct it, or move it away: keys are then made anew."
        super().__init__(f"The file of API keys {path} cannot be used: {shown(reason)}. {remedy or usual}")


class KeyUnknown(ServingError):
    """There is no such API key."""

    exit_status = 2

    def __init__(self, key_id: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no API key {key_id!r}. Known are {', '.join(known) or 'none'}.")


class KeysUnknown(ServingError):
    """The file of API keys cannot be read for too long: nobody is let in, for a key may have been revoked."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"No API key can be checked at present, so nobody is answered. {reason}")


class ServiceBusy(ServingError):
    """The service cannot take this request now, and another time it can."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}. Send the request again later.")


class ServiceUnavailable(ServingError):
    """A part that must answer over HTTP does not."""

    def __init__(self, part: str, url: str, reason: str) -> None:
        super().__init__(
            f"{part} at {shown(masked_url(url))} does not answer: {shown(reason)}. Run `canopy status`."
        )
        self.url = url
        self.reason = reason


class SignInRefused(ServiceUnavailable):
    """A part does not accept who asks, or no longer."""

    def __init__(self, part: str, url: str, status: int) -> None:
        super().__init__(part, url, f"it answered {status}")


class ServiceRefused(ServingError):
    """A part answered over HTTP, and does not do what was asked."""

    def __init__(self, part: str, status: int, reason: str) -> None:
        remedy = (
            "It may be another home's: set CANOPY_HOME or its port to those of the stack you mean"
            if status in (401, 403)
            else "Its log says more"
        )
        super().__init__(f"{part} has refused this: {shown(reason)}. {remedy}; `canopy status` shows where.")


class StackError(CanopyError):
    """The local stack."""

    exit_status = 8


class SecretsUnusable(StackError):
    """A file with the stack's secrets cannot be used."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(
            f"The file of secrets {file} cannot be used: {shown(reason)}. Restore it from a backup, or move "
            "it away: then secrets are made anew, and what was signed with the old ones is refused."
        )


class BackupIncomplete(StackError):
    """A backup would lack something, and was not kept."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"The backup was not kept because of {what}: {reason}. Make it again.")


class BackupUnusable(StackError):
    """A backup is not whole."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"The backup's {file} cannot be used: {reason}. Restore another backup.")


class BackupRefused(StackError):
    """A backup cannot be made as things are."""


class RestoreRefused(StackError):
    """A backup cannot be put back as things are."""


class EngineMissing(StackError):
    """No container engine, or no Compose, answers."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The stack in containers needs a running Docker engine with Compose 2.24 or newer: {reason}. "
            "Install and start one, or use `canopy up` without --stack, which needs neither."
        )


class EngineFailed(StackError):
    """The engine could not do what it was told."""

    has_lines = True

    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"`{command}` failed. It said:\n{said.strip()}\nSee docs/stack.md for each part.")


class HomeNotMarked(StackError):
    """A folder is to be put aside that Canopy has not made, or that somebody works in."""

    def __init__(self, home: Path, reason: str) -> None:
        super().__init__(
            f"The folder {shown(home)} is not put aside: {reason}. Nothing was changed. Set CANOPY_HOME to "
            "a folder of its own, or start without --fresh."
        )


class PortTaken(StackError):
    """Another program listens on a port that a part needs."""

    def __init__(self, part: str, port: int, setting: str) -> None:
        super().__init__(
            f"{part} needs port {port} of 127.0.0.1, and another program listens there. "
            f"End that program, or set {setting} to a free port."
        )


class DemoStuck(StackError):
    """The demo waits for something that does not come."""

    def __init__(self, waiting: str, reason: str) -> None:
        super().__init__(f"The demo waited for {waiting}, but {reason}. The parts were stopped.")


class PartDied(StackError):
    """A part of the local stack ended by itself, again and again."""

    def __init__(self, part: str, reason: str, log: object) -> None:
        super().__init__(
            f"{part} ended: {reason}. It was started again as often as it may be. Its log is {log}. "
            "Mend what it names, then `canopy up` starts it again."
        )


class FolderTaken(StackError):
    """Pages are to be written where there is something else."""

    exit_status = 2

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(
            f"{shown(folder)} {what}, and pages would take its place. Nothing was changed. "
            "Name a new folder, or an empty one."
        )


class PagesBroken(StackError):
    """The documentation's pages could not be built."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The documentation could not be built: {reason}. Correct the pages in docs/.")
