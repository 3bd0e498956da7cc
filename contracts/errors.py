"""The tree of errors that Canopy expects.

    CanopyError                     what a person can act on; the CLI prints it without a traceback
    ├── ContractInvalid             covertype.yaml lacks something that the code relies on
    ├── SettingsInvalid             a setting has a value that cannot work
    ├── SourceError                 the upstream API
    │   ├── SourceUnavailable       refused, timed out, 5xx, connection cut: worth a retry
    │   ├── SourceRefused           it does not accept the group or the request
    │   └── ResponseBroken          it answered 200 with something that is not the contract
    ├── RowsUnreadable              a file of rows for the simulator or for predictions
    ├── LakeError                   objects and catalog
    │   ├── LandingConflict         bronze holds other bytes under this key
    │   ├── RawDamaged              a raw object is not what its key promises
    │   ├── RowsDamaged             a row file of bronze is no Parquet
    │   ├── NotHeld                 a landing is to be released that is not held back
    │   ├── TablesDamaged           a table of the lake cannot be read
    │   ├── ObjectMissing           an object that something refers to is gone
    │   ├── StoreUnavailable        the object store does not answer
    │   ├── CatalogUnusable         the catalog cannot be attached: damaged, moved or not reached
    │   ├── ExtensionMissing        a DuckDB extension is not installed
    │   ├── NothingPublished        no snapshot has been published yet
    │   ├── SnapshotMissing         there is no such snapshot, or no longer
    │   ├── RequestUnknown          no prediction in the lake has this request id
    │   ├── QueryFailed             DuckDB could not answer a query
    │   │   └── QueryTooLong        it did not end within its time
    │   ├── QueryWrites             a query would change something
    │   ├── ShellMissing            DuckDB's command line is not installed
    │   ├── LakeBusy                another program is writing to the lake
    │   └── BuildFailed             dbt did not build, or its tests failed
    ├── AuditFailed                 Great Expectations found something; the pointer has not moved
    ├── TrainingError               gold -> model
    │   ├── TooFewRows              not enough rows or classes to learn from and test on
    │   ├── CandidateUnknown        there is no such way to learn
    │   ├── ParametersInvalid       a way to learn cannot be set like this
    │   ├── ExtraMissing            a way to learn needs a library that is not installed
    │   ├── NothingFound            no trial of a search came to its end
    │   ├── NotAwaiting             a person answers for a version that waits for nobody
    │   ├── RunUnknown              there is no such run, or it was not made by `canopy train`
    │   ├── NotReproduced           a run came out differently
    │   └── ParityBroken            ONNX and the library that grew the model disagree
    ├── ServingError                model -> prediction
    │   ├── ModelMissing            nothing is promoted, or it cannot be loaded
    │   ├── ModelRefused            a version is promoted that must not answer
    │   ├── OutsideContract         a prediction request is outside the contract
    │   ├── FileUnreadable          a file of rows to predict is not what its content type says
    │   ├── KeyFileUnusable         API keys cannot be read
    │   ├── KeyUnknown              there is no such API key
    │   ├── PredictionRefused       the service did not accept a row, or could not answer
    │   └── ServiceUnavailable      a part that must answer over HTTP does not
    └── StackError                  the local stack, and the one in containers
        ├── BackupUnusable          a backup is not whole
        ├── RestoreRefused          a backup is to go where something is already
        ├── EngineMissing           no container engine, or no Compose, answers
        ├── EngineFailed            the engine could not do what it was told
        ├── PortTaken               another program listens there
        ├── DemoStuck               the demo waits for something that does not come
        ├── PartDied                a part ended by itself
        └── PagesBroken             the documentation's pages could not be built

Every message says what is wrong, with which value, and what to do next. An error that is raised by
one package only may live here all the same: this is where a reader looks for the whole tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class CanopyError(Exception):
    """Something that a person can act on."""

    exit_status = 1


class ContractInvalid(CanopyError):
    """`covertype.yaml` lacks something that the code relies on."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"The data contract {path} is not usable: {what}. Correct the file.")


class SettingsInvalid(CanopyError):
    """A setting has a value that cannot work."""

    exit_status = 2

    def __init__(self, name: str, value: object, remedy: str) -> None:
        super().__init__(f"The setting {name}={value!r} cannot work. {remedy}")


class SourceError(CanopyError):
    """The upstream API did not do what was asked."""

    exit_status = 3


class SourceUnavailable(SourceError):
    """The source did not answer, or not to the end. Asking again later is right."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"The source at {url} is unavailable: {reason}. Asking again later is right.")


class SourceRefused(SourceError):
    """The source does not accept the request."""

    def __init__(self, url: str, status: int, detail: str) -> None:
        super().__init__(
            f"The source refused {url} with {status}: {detail}. Check SOURCE_GROUPS and SOURCE_URL."
        )


class ResponseBroken(SourceError):
    """The source answered 200 with something that is not the contract."""

    def __init__(self, difference: str, raw_key: str) -> None:
        super().__init__(
            f"The response does not fit the contract: {difference}. No row was landed; the response "
            f"is kept byte for byte under {raw_key!r}."
        )
        self.difference = difference
        self.raw_key = raw_key


class RowsUnreadable(CanopyError):
    """A file of rows cannot be used."""

    def __init__(self, path: object, what: str) -> None:
        super().__init__(
            f"The rows in {path} cannot be used: {what}. It must be csv, csv.gz or parquet with the "
            "contract's columns."
        )


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
        super().__init__(f"The raw object {key!r} is damaged: {what}. Restore it from a backup.")


class RowsDamaged(LakeError):
    """A row file of bronze cannot be read."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"The row file {key!r} cannot be read: {what}. `canopy lake replay` writes it anew.")


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


class ObjectMissing(LakeError):
    """An object that something refers to is gone."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The lake has no object {key!r}. Restore it from a backup.")


class StoreUnavailable(LakeError):
    """The object store does not answer, or refuses the keys."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"The object store {uri} cannot be used: {reason}. Check LAKE_URI and its keys.")


class CatalogUnusable(LakeError):
    """The catalog cannot be attached."""

    def __init__(self, catalog: str, reason: str) -> None:
        super().__init__(
            f"The lake's catalog {catalog} cannot be used: {reason} Check LAKE_CATALOG and LAKE_URI: a "
            "catalog belongs to one lake. If it is damaged, move its file away and run `canopy lake "
            "replay`: bronze holds all that it takes to make it anew."
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

    def __init__(self, what: str = "There is nothing published yet") -> None:
        super().__init__(f"{what}. Run `canopy collect` and `canopy refine` first.")


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

    def __init__(self, query: str, reason: str) -> None:
        super().__init__(f"The query {query!r} failed: {reason}")


class QueryTooLong(QueryFailed):
    """A query did not end within its time."""

    def __init__(self, query: str, seconds: float) -> None:
        super().__init__(query, f"it was stopped after {seconds:g} s. Ask for less: a filter, or fewer rows")


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
            f"Another program holds {lock} and writes to the lake; waited {waited_s:.0f} s. "
            "See what it does with `canopy status`, then try again."
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
        self.suite = suite
        self.failures = failures
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


class PredictionRefused(ServingError):
    """The service did not accept a row, or could not answer."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        lines = [
            f"row {item.get('row')}: {item.get('field')}={item.get('value')!r}, "
            f"allowed: {item.get('allowed')}"
            for item in problem.get("errors", [])
        ]
        detail = "; ".join(lines) or str(problem.get("detail"))
        super().__init__(f"The prediction service answered {status}: {detail}")


class ModelRefused(ServingError):
    """A version is promoted that must not answer."""

    def __init__(self, model: str, version: str, reason: str) -> None:
        super().__init__(
            f"Version {version} of the model {model!r} is refused: {reason}. What answered before keeps "
            "answering; promote another version."
        )


class OutsideContract(ServingError):
    """A prediction request is outside the contract."""

    def __init__(self, violations: Sequence[Mapping[str, object]], total: int) -> None:
        first = violations[0]
        where = "the request" if first["row"] is None else f"row {first['row']}"
        what = f"{first['field']}={first['value']!r}" if first["field"] else repr(first["value"])
        if first["reason"] == "missing":
            what = f"{first['field']} is missing"
        more = f" {total} values in all; `errors` lists {len(violations)} of them." if total > 1 else ""
        super().__init__(
            f"Nothing was predicted: in {where}, {what}; allowed is {first['allowed']}.{more} "
            f"Correct {'it' if total == 1 else 'them'} and send the request again."
        )
        self.violations = violations


class FileUnreadable(ServingError):
    """A file of rows to predict is not what its content type says."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"The body cannot be read as {kind}: {reason.rstrip('.')}. Nothing was predicted.")


class KeyFileUnusable(ServingError):
    """A file with API keys cannot be used."""

    exit_status = 2

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"The file of API keys {path} cannot be used: {reason}. Correct it, or move it away: keys are "
            "then made anew."
        )


class KeyUnknown(ServingError):
    """There is no such API key."""

    exit_status = 2

    def __init__(self, key_id: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no API key {key_id!r}. Known are {', '.join(known) or 'none'}.")


class ServiceUnavailable(ServingError):
    """A part that must answer over HTTP does not."""

    def __init__(self, part: str, url: str, reason: str) -> None:
        super().__init__(f"{part} at {url} does not answer: {reason}. Run `canopy status`.")
        self.url = url
        self.reason = reason


class StackError(CanopyError):
    """The local stack."""

    exit_status = 8


class BackupUnusable(StackError):
    """A backup is not whole."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"The backup's {file} cannot be used: {reason}. Restore another backup.")


class RestoreRefused(StackError):
    """A backup is to go where something is already."""


class EngineMissing(StackError):
    """No container engine, or no Compose, answers."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The stack in containers needs a running Docker engine with Compose 2.24 or newer: {reason}. "
            "Install and start one, or use `canopy up` without --stack, which needs neither."
        )


class EngineFailed(StackError):
    """The engine could not do what it was told."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"`{command}` failed. It said:\n{said.strip()}\nSee docs/stack.md for each part.")


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
    """A part of the local stack ended by itself."""

    def __init__(self, part: str, reason: str, log: object) -> None:
        super().__init__(f"{part} ended: {reason}. Its log is {log}. The other parts were stopped.")


class PagesBroken(StackError):
    """The documentation's pages could not be built."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The documentation could not be built: {reason}. Correct the pages in docs/.")
