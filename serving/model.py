"""One ONNX model: loaded, checked against the contract, ready to answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contracts.covertype import Contract
from contracts.errors import ModelRefused
from serving.familiarity import Familiarity
from serving.many import MANY_FILE
from serving.version import Version

MODEL_FILE = "model.onnx"
ONNX_TYPES = {"integer": "tensor(int64)", "string": "tensor(string)"}
OUTPUT_TYPES = {"label": "tensor(int64)", "probabilities": "tensor(float)"}
OUTPUTS = list(OUTPUT_TYPES)
ERRORS_ONLY = 3
MANY_THREADS = 2

# A row's values in the contract's order.
Row = Sequence[int | str]
Columns = Mapping[str, NDArray[Any]]
Answers = tuple[NDArray[np.int64], NDArray[np.float32]]


class Model:
    """A version that may answer. Nothing but ONNX is ever loaded; pickles are not looked at."""

    def __init__(
        self, version: Version, session: onnxruntime.InferenceSession, contract: Contract, many: Path
    ) -> None:
        self.version = version
        self.familiarity = Familiarity.of(_metadata(session), contract)
        self._session = session
        self._kinds = [(column.name, column.kind == "integer") for column in contract.features]
        self._many_file = many
        self._many: onnxruntime.InferenceSession | None = None
        self._opening = Lock()

    def predict(self, rows: Sequence[Row]) -> Answers:
        """The cover types of a few rows; safe from many threads at once.

        Args:
            rows: Values of all features, in the contract's order.

        Returns: Classes, shape (n_rows,), and the share of each class, shape (n_rows, n_classes).
        """
        count = len(rows)
        inputs: dict[str, NDArray[Any]] = {}
        for (name, is_integer), values in zip(self._kinds, zip(*rows, strict=True), strict=True):
            inputs[name] = np.array(values, dtype=np.int64 if is_integer else object).reshape(count, 1)
        labels, probabilities = self._session.run(OUTPUTS, inputs)
        return labels, probabilities

    def predict_columns(self, columns: Columns) -> Answers:
        """The same for thousands of rows, each feature an array of shape (n_rows,).

        The same trees answer from another graph, four times as fast where rows are many (serving/many.py).
        """
        inputs = {name: columns[name].reshape(-1, 1) for name, _ in self._kinds}
        labels, probabilities = self._for_many().run(OUTPUTS, inputs)
        return labels, probabilities

    @property
    def contract_version(self) -> str:
        """Version of the data contract that it was trained under."""
        return str(_metadata(self._session).get("canopy.contract_version", ""))

    def _for_many(self) -> onnxruntime.InferenceSession:
        """Opened when it is first needed: it takes as much memory again."""
        with self._opening:
            if self._many is None:
                is_there = self._many_file.is_file()
                self._many = _session(self._many_file, MANY_THREADS) if is_there else self._session
            return self._many


def load_model(version: Version, folder: Path, contract: Contract) -> Model:
    """Loads `model.onnx` of a folder and tries it out.

    Raises: ModelRefused if it is not ONNX, if its inputs, outputs or contract version do not fit, or
        if it does not reproduce its own golden requests.
    """
    try:
        session = _session(folder / MODEL_FILE)
        _check_signature(session, contract)
        _check_contract_version(session, contract)
        model = Model(version, session, contract, folder / MANY_FILE)
        _check_golden(model, session, contract)
    except _Unfit as unfit:
        raise ModelRefused(version.name, version.number, str(unfit)) from unfit.__cause__
    return model


class _Unfit(Exception):
    """Why a model must not answer."""


def _session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise _Unfit(f"it has no {path.name}")
    options = onnxruntime.SessionOptions()
    # Requests run side by side already; a pool of threads for each would only add waiting.
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no other ancestor
        raise _Unfit(f"ONNX Runtime does not load it ({_first_line(error)})") from error


def _check_signature(session: onnxruntime.InferenceSession, contract: Contract) -> None:
    expected = {column.name: ONNX_TYPES[column.kind] for column in contract.features}
    for what, found, wanted in (
        ("inputs", session.get_inputs(), expected),
        ("outputs", session.get_outputs(), OUTPUT_TYPES),
    ):
        types = {item.name: item.type for item in found}
        if types != wanted:
            raise _Unfit(f"its {what} are not the contract's: {_difference(types, wanted)}")


def _check_contract_version(session: onnxruntime.InferenceSession, contract: Contract) -> None:
    version = _metadata(session).get("canopy.contract_version", "")
    # A new minor version of the contract changes no field's meaning; a new major one does.
    if version.partition(".")[0] != contract.version.partition(".")[0]:
        raise _Unfit(
            f"it was trained under contract {version or 'unknown'}, this service has {contract.version}"
        )


def _check_golden(model: Model, session: onnxruntime.InferenceSession, contract: Contract) -> None:
    rows, expected = _golden(session, contract)
    try:
        labels, probabilities = model.predict(rows)
    except Exception as error:  # a value of another type, or a graph that fails when it runs
        raise _Unfit(f"its golden requests fail ({_first_line(error)})") from error
    if probabilities.shape != (len(rows), len(contract.class_names)):
        raise _Unfit(f"its probabilities have the shape {probabilities.shape}")
    differing = int(np.count_nonzero(labels != expected))
    if differing:
        raise _Unfit(f"it answers {differing} of its {len(rows)} golden requests differently")


def _golden(session: onnxruntime.InferenceSession, contract: Contract) -> tuple[list[Row], NDArray[np.int64]]:
    names = [column.name for column in contract.features]
    try:
        entries: list[dict[str, Any]] = json.loads(_metadata(session).get("canopy.golden", "[]"))
        rows: list[Row] = [tuple(entry["row"][name] for name in names) for entry in entries]
        expected = np.array([entry["cover_type"] for entry in entries], dtype=np.int64)
    except KeyError as error:
        raise _Unfit(f"its golden requests fail ({error} is missing)") from error
    except (ValueError, TypeError) as error:
        raise _Unfit("its golden requests cannot be read") from error
    if not rows:
        raise _Unfit("it has no golden requests to be tried on")
    return rows, expected


def _metadata(session: onnxruntime.InferenceSession) -> dict[str, str]:
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return metadata


def _difference(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    wrong = [
        f"{name} is {found.get(name, 'missing')}, not {wanted.get(name, 'expected')}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]
    return ", ".join(wrong)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
