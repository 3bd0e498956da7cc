"""One ONNX model: loaded, checked against the contract, ready to answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.covertype import Contract
from contracts.errors import ModelRefused
from contracts.model_artefact import MODEL_FILE, Metadata, Tag
from contracts.plain_files import read_plain
from contracts.version_signature import DIGEST_TAG, MAY_TAG, SIGNATURE_TAG, May, is_signed, statement
from serving.engine import OUTPUT_TYPES, Answers, Columns, Engine, open_engine
from serving.model.out_of_distribution import OutOfDistribution
from serving.model.version import Version

ONNX_TYPES = {"integer": "tensor(int64)", "string": "tensor(string)"}


@dataclass(frozen=True)
class Gate:
    """Who must have signed a version, and for what.

    Attributes:
        key: The public key, in base64.
        may: Any of these must have been signed.
    """

    key: str
    may: tuple[May, ...] = (May.ANSWER,)


# A row's values in the contract's order.
Row = Sequence[int | str]


class Model:
    """A version that may answer. Nothing but ONNX is ever loaded; pickles are not looked at."""

    def __init__(self, version: Version, engine: Engine, contract: Contract) -> None:
        self.version = version
        self.out_of_distribution = OutOfDistribution.of(engine.metadata, contract)
        self._engine = engine
        self._kinds = [
            (column.name, np.int64 if column.kind == "integer" else object) for column in contract.features
        ]

    def predict(self, rows: Sequence[Row]) -> Answers:
        """Returns the cover types of a few rows; safe from many threads at once.

        Args:
            rows: Values of all features, in the contract's order.

        Returns: Classes, shape (n_rows,), and the share of each class, shape (n_rows, n_classes).
        """
        count = len(rows)
        columns: dict[str, NDArray[Any]] = {
            name: np.array(values, dtype=kind).reshape(count, 1)
            for (name, kind), values in zip(self._kinds, zip(*rows, strict=True), strict=True)
        }
        return self._engine.answer(columns)

    def predict_columns(self, columns: Columns) -> Answers:
        """Returns the same for thousands of rows, each feature an array of shape (n_rows,)."""
        return self._engine.answer({name: columns[name].reshape(-1, 1) for name, _ in self._kinds})

    @property
    def contract_version(self) -> str:
        """Returns version of the data contract that it was trained under."""
        return self._engine.metadata.get(Metadata.CONTRACT_VERSION, "")


def load_model(version: Version, folder: Path, contract: Contract, *, gate: Gate | None = None) -> Model:
    """Loads the model of a folder and tries it out.

    Its file is read once: what is looked at is what answers, and nothing else in the folder is.

    Args:
        version: What the registry says of it.
        folder: With `model.onnx`.
        contract: What it must fit.
        gate: Who must have signed it; None if nobody.

    Raises: ModelRefused if it is not the file that was registered, not what the gate signed, not ONNX, if its
        inputs, outputs or contract version do not fit, or if it does not reproduce its own golden requests.
    """
    try:
        content = _read(folder / MODEL_FILE)
        digest = _check_digest(content, version.tags.get(DIGEST_TAG))
        if gate is not None:
            _check_gate(version, digest, gate)
        engine = _open(content, len(contract.class_names))
        metadata = engine.metadata
        _check_signature(engine, contract)
        _check_contract_version(metadata, contract)
        model = Model(version, engine, contract)
        _check_golden(model, metadata, contract)
    except _Unfit as unfit:
        raise ModelRefused(version.name, version.number, str(unfit)) from unfit.__cause__
    return model


class _Unfit(Exception):
    """Why a model must not answer."""


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise _Unfit(f"it has no {path.name}")
    return read_plain(path)


def _check_digest(content: bytes, wanted: str | None) -> str:
    """Returns the file's digest; what a version says of it must be so."""
    found = hashlib.sha256(content).hexdigest()
    if wanted not in (None, found):
        raise _Unfit(f"its {MODEL_FILE} has the sha256 {found}, and {wanted} was registered")
    return found


def _check_gate(version: Version, digest: str, gate: Gate) -> None:
    """Checks that the gate has signed these bytes, under this number, for what they are about to do."""
    may, snapshot = version.tags.get(MAY_TAG, ""), version.tags.get(Tag.SNAPSHOT_ID)
    said = statement(version.name, version.number, digest, snapshot, may)
    if not is_signed(gate.key, said, version.tags.get(SIGNATURE_TAG)):
        raise _Unfit("the gate has not signed it; `canopy promote` signs what a person has looked at")
    if may not in gate.may:
        raise _Unfit(f"the gate has signed that it may {may}, not that it may {gate.may[0]}")


def _open(content: bytes, n_classes: int) -> Engine:
    try:
        return open_engine(content, n_classes)
    except Exception as error:  # ONNX Runtime's errors share no other ancestor
        raise _Unfit(f"ONNX Runtime does not load it ({_first_line(error)})") from error


def _check_signature(engine: Engine, contract: Contract) -> None:
    expected = {column.name: ONNX_TYPES[column.kind] for column in contract.features}
    for what, found, wanted in (
        ("inputs", engine.inputs, expected),
        ("outputs", engine.outputs, OUTPUT_TYPES),
    ):
        if found != wanted:
            raise _Unfit(f"its {what} are not the contract's: {_difference(found, wanted)}")


def _check_contract_version(metadata: Mapping[str, str], contract: Contract) -> None:
    version = metadata.get(Metadata.CONTRACT_VERSION, "")
    # A new minor version of the contract changes no field's meaning; a new major one does.
    if version.partition(".")[0] != contract.version.partition(".")[0]:
        raise _Unfit(
            f"it was trained under contract {version or 'unknown'}, this service has {contract.version}"
        )


def _check_golden(model: Model, metadata: Mapping[str, str], contract: Contract) -> None:
    rows, expected = _golden(metadata, contract)
    try:
        labels, probabilities = model.predict(rows)
    except Exception as error:  # a value of another type, or a graph that fails when it runs
        raise _Unfit(f"its golden requests fail ({_first_line(error)})") from error
    if probabilities.shape != (len(rows), len(contract.class_names)):
        raise _Unfit(f"its probabilities have the shape {probabilities.shape}")
    differing = int(np.count_nonzero(labels != expected))
    if differing:
        raise _Unfit(f"it answers {differing} of its {len(rows)} golden requests differently")


def _golden(metadata: Mapping[str, str], contract: Contract) -> tuple[list[Row], NDArray[np.int64]]:
    names = [column.name for column in contract.features]
    try:
        entries: list[dict[str, Any]] = json.loads(metadata.get(Metadata.GOLDEN, "[]"))
        rows: list[Row] = [tuple(entry["row"][name] for name in names) for entry in entries]
        expected = np.array([entry["cover_type"] for entry in entries], dtype=np.int64)
    except KeyError as error:
        raise _Unfit(f"its golden requests fail ({error} is missing)") from error
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _Unfit("its golden requests cannot be read") from error
    if not rows:
        raise _Unfit("it has no golden requests to be tried on")
    return rows, expected


def _difference(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    wrong = [
        f"{name} is {found.get(name, 'missing')}, not {wanted.get(name, 'expected')}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]
    return ", ".join(wrong)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
