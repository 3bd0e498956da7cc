"""The model card: what a model learned from, how good it is and where it is not, for people.

Source of the form: Mitchell et al., Model cards for model reporting, FAT* (2019).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.fit.challenger import Training
from training.fit.features import SUMS, feature_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).with_name("templates")


def as_markdown(training: Training, tags: Mapping[str, str], run_id: str) -> str:
    """Returns the card with links to the pictures beside it.

    Args:
        training: What it tells of.
        tags: What the version says of itself.
        run_id: The MLflow run.
    """
    labels = np.concatenate([training.rows.train.labels, training.rows.test.labels])
    landings = sorted(training.rows.landings)
    return _render(
        "model_card.md.j2",
        model_name=training.settings.model_name,
        run_id=run_id,
        tags=tags,
        training=training,
        evaluation=training.evaluation,
        scores=training.evaluation.scores,
        parameters=training.choice.resolve()[1].model_dump(),
        rows_by_class=np.bincount(labels, minlength=len(training.contract.class_names)).tolist(),
        features=feature_names(training.contract),
        sums=SUMS,
        first_landing=landings[0] if landings else None,
        last_landing=landings[-1] if landings else None,
    )


def as_html(title: str, markdown: str, pictures: Mapping[str, Figure]) -> str:
    """Returns the card as one page with the pictures inside; it loads nothing.

    Args:
        title: Of the page.
        markdown: The card.
        pictures: By the names that the card links to, without their ending.
    """
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    for name, figure in pictures.items():
        body = body.replace(f'src="{name}.png"', f'src="{_inline(figure)}"')
    return _render("model_card.html.j2", title=title, body=body)


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
