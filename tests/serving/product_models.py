"""Small models of the product's own, as training registers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from contracts.covertype import covertype
from tests.training.survey import survey
from training.fit.artefact import build_model, choose_golden, describe_model
from training.fit.candidates import CANDIDATES
from training.fit.candidates.candidate import FitInput
from training.fit.features import compute_features
from training.fit.rows import Rows, as_rows

CONTRACT = covertype()
CLASSES = 7
CHOSEN: dict[str, dict[str, Any]] = {
    "extra_trees": {"trees": 12},
    "random_forest": {"trees": 7, "min_samples_leaf": 5},
    "histogram_boosting": {"iterations": 5},
}


def survey_rows(count: int) -> Rows:
    """Rows to learn from."""
    return as_rows(survey(count))


def write_model(rows: Rows, folder: Path, name: str = "extra_trees", *, shift: int = 0) -> Path:
    """Trains a model, writes its artefact as `model.onnx` and returns its path.

    Args:
        rows: To learn from.
        folder: Made if it is not there.
        name: Of the candidate.
        shift: Taught to answer so many classes further: two models that differ in it never answer alike.
    """
    matrix, candidate = compute_features(rows.features), CANDIDATES[name]
    fit_input = FitInput(matrix, (rows.labels + shift) % CLASSES, CLASSES, seed=1, n_jobs=2)
    fitted = candidate.fit(fit_input, candidate.parameters(**CHOSEN[name]))
    model = build_model(fitted.ensemble(), CONTRACT)
    golden = choose_golden(rows.features, fitted.answer(matrix), CONTRACT)
    describe_model(model, {"canopy.contract_version": CONTRACT.version, "canopy.golden": json.dumps(golden)})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def as_requests(rows: Rows, count: int) -> list[dict[str, int | str]]:
    """The first rows as a caller sends them."""
    names = list(rows.features)
    columns = [np.asarray(values)[:count, 0].tolist() for values in rows.features.values()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
