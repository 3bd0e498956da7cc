"""Answers of an ONNX model, the fast way where it is a forest: `open_engine` in, an `Engine` out.

Nothing else of this package is imported from outside it.
"""

from __future__ import annotations

from serving.engine.forest import Forest
from serving.engine.inference import OUTPUT_TYPES, Answers, Columns, Engine, WholeGraph, open_session
from serving.engine.tables import make_tables

__all__ = ["OUTPUT_TYPES", "Answers", "Columns", "Engine", "open_engine"]


def open_engine(model: bytes, n_classes: int) -> Engine:
    """Opens a model.

    Args:
        model: The ONNX file.
        n_classes: How many classes it tells apart.

    Raises: whatever ONNX Runtime raises, whose errors share no ancestor; ValueError.
    """
    tables = make_tables(model)
    return WholeGraph(open_session(model)) if tables is None else Forest(tables, n_classes)
