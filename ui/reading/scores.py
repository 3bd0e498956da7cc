"""What a training wrote down of its model: scores, what it hangs on, and the gate's verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clients.mlflow import Version
from contracts.model_artefact import CARD, IMPORTANCE, SCORE_SHEET, Tag
from ui.reading.registry import artefact
from ui.settings import UiSettings


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; low and high are None where none was measured."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Criterion:
    """One thing that the gate looked at; `says` is the gate's own sentence, in English."""

    name: str
    passed: bool
    value: float | None
    threshold: float | None
    says: str


@dataclass(frozen=True)
class Confidence:
    """Answers that were about equally sure, and how often they were right."""

    rows: int
    confidence: float
    right: Estimate


@dataclass(frozen=True)
class RandomSplitScores:
    """What a random split would have reported, and how many of its test rows it had learned from."""

    macro_f1: Estimate
    test_rows: int
    seen_rows: int


@dataclass(frozen=True)
class ScoreSheet:
    """All that the held-out rows say of a version.

    Attributes:
        recalls: By class, in the contract's order; classes without held-out rows are left out.
        class_rows: Held-out rows of each class.
        areas: Macro-F1 by wilderness area.
        confusion: Rows by true (first) and predicted class.
        error: Expected calibration error.
        bins: From the least to the most sure.
        baselines: What has to be beaten, by name.
        random_split: The leak meter; None if it was not asked for.
    """

    recalls: tuple[Estimate, ...]
    class_rows: Mapping[str, int]
    areas: tuple[Estimate, ...]
    confusion: Sequence[Sequence[int]]
    error: float
    bins: tuple[Confidence, ...]
    baselines: tuple[Estimate, ...]
    random_split: RandomSplitScores | None


def score_sheet(settings: UiSettings, version: Version) -> ScoreSheet | None:
    """Returns what the run wrote down; None for a run that wrote no sheet. Raises: ServiceUnavailable."""
    found = artefact(settings, version.run_id, SCORE_SHEET)
    return None if found is None else _sheet(json.loads(found))


def importances(settings: UiSettings, version: Version) -> list[Estimate] | None:
    """Returns what is lost when a column is shuffled, greatest first; None for a run that did not measure it.

    Raises: ServiceUnavailable.
    """
    found = artefact(settings, version.run_id, IMPORTANCE)
    if found is None:
        return None
    return [
        Estimate(item["feature"], item["loss"], item["low"], item["high"])
        for item in json.loads(found)["features"]
    ]


def macro_f1_of(version: Version, name: str) -> Estimate | None:
    """Returns a version's macro-F1 with its interval, under a name; None for one without."""
    score, *interval = map(version.score, (Tag.MACRO_F1, Tag.MACRO_F1_LOW, Tag.MACRO_F1_HIGH))
    return None if score is None else Estimate(name, score, *interval)


def criteria(version: Version) -> list[Criterion]:
    """Returns what the gate looked at, in its order; none for a version that was not judged."""
    try:
        return [Criterion(**item) for item in json.loads(version.tags.get(Tag.GATE, "[]"))]
    except (ValueError, TypeError):
        return []


def card(settings: UiSettings, version: Version) -> str | None:
    """Returns the model card in Markdown, without pictures; None where there is none. Raises:
    ServiceUnavailable."""
    found = artefact(settings, version.run_id, CARD)
    if found is None:
        return None
    lines = found.decode("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("!["))


def _sheet(fields: Mapping[str, Any]) -> ScoreSheet:
    calibration, random = fields["calibration"], fields["naive"]
    return ScoreSheet(
        recalls=tuple(
            _estimate(item["name"], item["recall"])
            for item in fields["classes"]
            if item["recall"] is not None
        ),
        class_rows={item["name"]: int(item["rows"]) for item in fields["classes"]},
        areas=tuple(_estimate(area["name"], area["macro_f1"]) for area in fields["areas"]),
        confusion=fields["confusion"],
        error=float(calibration["error"]),
        bins=tuple(
            Confidence(one["rows"], one["confidence"], _estimate("", one["accuracy"]))
            for one in calibration["bins"]
        ),
        baselines=tuple(_estimate(item["name"], item["macro_f1"]) for item in fields["baselines"]),
        random_split=RandomSplitScores(
            _estimate("", random["macro_f1"]), random["test_rows"], random["seen_rows"]
        )
        if random
        else None,
    )


def _estimate(name: str, interval: Mapping[str, float]) -> Estimate:
    return Estimate(name, interval["value"], interval["low"], interval["high"])
