"""The confusion matrix as a table that is shaded: it reads without colours, too."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from contracts.covertype import covertype
from ui.language import Texts

STYLE = """
<style>
.confusion-frame { overflow-x: auto; container-type: inline-size; }
.confusion { border-collapse: separate; border-spacing: 2px; width: 100%; }
.confusion td { font-variant-numeric: tabular-nums; }
.confusion caption { text-align: left; font-size: .8rem; padding-bottom: .4rem; }
.confusion th { font-weight: 500; font-size: .8rem; text-align: right; padding: .15rem .4rem; border: 0; }
.confusion thead th { vertical-align: bottom; text-align: center; hyphens: auto; overflow-wrap: anywhere; }
.confusion td { text-align: center; font-size: .85rem; padding: .45rem .2rem; border: 0;
  border-radius: .25rem;
  background: color-mix(in srgb, #2f9e6e calc(var(--share) * 55%), transparent); }
.confusion td.right { font-weight: 700; }
.confusion .short { display: none; }
@container (max-width: 34rem) {
  .confusion .full { display: none; }
  .confusion .short { display: inline; }
  .confusion th, .confusion td { font-size: .75rem; padding: .35rem .05rem; }
}
</style>
"""


def confusion_html(texts: Texts, rows: Sequence[Sequence[int]]) -> str:
    """Returns the matrix: a line for each true class, a column for each predicted one.

    Args:
        texts: The reader's language.
        rows: Counts by true (first) and predicted class, in the contract's order.
    """
    names = [texts.cover_type(name) for name in covertype().class_names]
    head = "".join(f'<th scope="col">{_name(place, name)}</th>' for place, name in enumerate(names))
    body = "".join(_line(texts, place, name, rows[place]) for place, name in enumerate(names))
    return (
        f'{STYLE}<div class="confusion-frame" tabindex="0" role="region" '
        f'aria-label="{escape(texts("models.confusion"))}"><table class="confusion">'
        f"<caption>{escape(texts('models.confusion_caption'))}</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _line(texts: Texts, place: int, name: str, counts: Sequence[int]) -> str:
    total = sum(counts) or 1
    cells = "".join(
        f'<td class="{"right" if column == place else ""}" style="--share: {count / total:.3f}">'
        f"{texts.number(count)}</td>"
        for column, count in enumerate(counts)
    )
    return f'<tr><th scope="row">{_name(place, name)}</th>{cells}</tr>'


def _name(place: int, name: str) -> str:
    """Returns the whole name, or its number and beginning where there is no room for it."""
    return f'<span class="full">{escape(name)}</span><span class="short">{place} {escape(name[:4])}.</span>'
