"""The same model behind BentoML, as its documentation does it; runs in an environment of its own."""

from __future__ import annotations

import os
from typing import Any

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=1)
class Covertype:
    """One row at a time."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"]
        )

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, row: dict[str, Any]) -> dict[str, Any]:
        """Returns the class of a row and the share of each."""
        inputs = {
            name: np.array([[value]], dtype=object if isinstance(value, str) else np.int64)
            for name, value in row.items()
        }
        labels, shares = self.session.run(["label", "probabilities"], inputs)
        return {"cover_type": int(labels[0]), "probabilities": shares[0].tolist()}
