"""Asking ONNX Runtime: sessions, and what goes in and comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contracts.model_artefact import NO_OTHER_FILES

OUTPUT_TYPES: Mapping[str, str] = {"label": "tensor(int64)", "probabilities": "tensor(float)"}
OUTPUTS = list(OUTPUT_TYPES)
ERRORS_ONLY = 3

# Features by name, each of shape (n_rows, 1).
Columns = Mapping[str, NDArray[Any]]
# Classes, shape (n_rows,), and the share of each class, shape (n_rows, n_classes).
Answers = tuple[NDArray[np.int64], NDArray[np.float32]]


class Engine(Protocol):
    """What answers rows; safe from many threads at once.

    Attributes:
        inputs: ONNX types of the inputs, by name.
        outputs: ONNX types of the outputs, by name.
        metadata: What the model's file says of itself.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    metadata: Mapping[str, str]

    def answer(self, columns: Columns) -> Answers:
        """Returns the cover types of some rows."""


class WholeGraph:
    """The model as it was registered, answered by ONNX Runtime."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.inputs, self.metadata = described(session)
        self.outputs: Mapping[str, str] = {item.name: item.type for item in session.get_outputs()}

    def answer(self, columns: Columns) -> Answers:
        """Returns the cover types of some rows."""
        labels, probabilities = self._session.run(OUTPUTS, dict(columns))
        return labels, probabilities


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Returns a session of one thread. Raises: whatever ONNX Runtime raises; its errors share no ancestor."""
    options = onnxruntime.SessionOptions()
    # Requests run side by side already; a pool of threads for each would only add waiting.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry(*NO_OTHER_FILES)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def described(session: onnxruntime.InferenceSession) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Returns the types of a graph's inputs, and what its file says of itself."""
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return {item.name: item.type for item in session.get_inputs()}, metadata
