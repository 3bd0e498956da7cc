"""A model's figures as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.judge.calibration import Calibration
from training.judge.evaluation import Evaluation
from training.judge.scores import ClassScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREEN, GREY = "#2b7a4b", "#8a8f98"


def pictures(evaluation: Evaluation, class_names: Sequence[str]) -> dict[str, Figure]:
    """Returns all pictures of a model, by name."""
    return {
        "confusion_matrix": confusion_picture(evaluation.scores.confusion, class_names),
        "recall_by_class": recall_picture(evaluation.scores.classes),
        "reliability": reliability_picture(evaluation.calibration),
    }


def confusion_picture(confusion: NDArray[np.int64], class_names: Sequence[str]) -> Figure:
    """Draws rows by true and predicted class, shaded by their share of the true class.

    Args:
        confusion: Shape (n_classes, n_classes), true class first.
        class_names: In the same order.
    """
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure, axes = _canvas(7.5, 6.5)
    image = axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    axes.set_xticks(range(len(class_names)), class_names, rotation=35, ha="right")
    axes.set_yticks(range(len(class_names)), class_names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for (true, predicted), rows in np.ndenumerate(confusion):
        colour = "white" if shares[true, predicted] > 0.5 else "black"
        axes.text(predicted, true, f"{rows:,}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, label="share of the true class", shrink=0.8)
    return figure


def recall_picture(classes: Sequence[ClassScore]) -> Figure:
    """Draws each class's recall with its interval; a class without held-out rows has none."""
    figure, axes = _canvas(7.5, 3.6)
    for place, item in enumerate(reversed(classes)):
        if item.recall:
            low, value, high = item.recall.low, item.recall.value, item.recall.high
            errors = [[value - low], [high - value]]
            axes.errorbar([value], [place], xerr=errors, fmt="o", color=GREEN, capsize=4)
    axes.set_yticks(range(len(classes)), [f"{item.name} ({item.rows:,} rows)" for item in reversed(classes)])
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("recall with its 95 % interval")
    axes.grid(axis="x", alpha=0.3)
    return figure


def reliability_picture(calibration: Calibration) -> Figure:
    """Draws how often the model is right against how sure it is."""
    figure, axes = _canvas(5, 4.5)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="as sure as right")
    confidence = [one.confidence for one in calibration.bins]
    right = [one.accuracy.value for one in calibration.bins]
    below = [one.accuracy.value - one.accuracy.low for one in calibration.bins]
    above = [one.accuracy.high - one.accuracy.value for one in calibration.bins]
    axes.errorbar(
        confidence, right, yerr=[below, above], fmt="o-", color=GREEN, capsize=3, label="this model"
    )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("mean probability of the predicted class")
    axes.set_ylabel("share of right answers")
    axes.legend(loc="upper left")
    axes.grid(alpha=0.3)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()
