"""The model card: what a model learned from, how good it is and where it is not, for people.

Source of the form: Mitchell et al., Model cards for model reporting, FAT* (2019).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts.covertype import Contract
from training.fit.candidates import Choice
from training.fit.features import SUMS, feature_names
from training.fit.rows import TrainingSet
from training.judge.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Card:
    """What a card tells of.

    Attributes:
        model_name: The registered model.
        run_id: The MLflow run.
        tags: What the version says of itself.
        rows: What it learned from.
        evaluation: How good it is.
        choice: What learned, and how.
        contract: Of the data.
        megabytes: What the artefact weighs, in 10**6 bytes.
    """

    model_name: str
    run_id: str
    tags: Mapping[str, str]
    rows: TrainingSet
    evaluation: Evaluation
    choice: Choice
    contract: Contract
    megabytes: float


def as_markdown(card: Card) -> str:
    """Returns the card with links to the pictures beside it."""
    return _render("model_card.md.j2", card=card, **_facts(card))


def as_html(card: Card, pictures: Mapping[str, Figure]) -> str:
    """Returns the card as one page with the pictures inside; it loads nothing.

    Args:
        card: What it tells of.
        pictures: By the names that the card links to, without their ending.
    """
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(as_markdown(card))
    for name, figure in pictures.items():
        body = body.replace(f'src="{name}.png"', f'src="{_inline(figure)}"')
    return _render("model_card.html.j2", title=f"Model card: {card.model_name}", body=body)


def _facts(card: Card) -> dict[str, Any]:
    labels = np.concatenate([card.rows.train.labels, card.rows.test.labels])
    landings = sorted(card.rows.landings)
    return {
        "scores": card.evaluation.scores,
        "parameters": card.choice.resolve()[1].model_dump(),
        "rows_by_class": np.bincount(labels, minlength=len(card.contract.class_names)).tolist(),
        "features": feature_names(card.contract),
        "sums": SUMS,
        "first_landing": landings[0] if landings else None,
        "last_landing": landings[-1] if landings else None,
    }


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # Markdown; what becomes HTML is escaped by the converter
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["interval"] = _interval
    return environment.get_template(template).render(**values)


def _interval(interval: Any, digits: int = 3) -> str:
    if interval is None:
        return "–"
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _inline(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
