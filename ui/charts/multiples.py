"""Small multiples: one little chart a feature, drawn as SVG so that thirteen of them appear at once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ui.language import Texts

WIDTH, HEIGHT, PAD = 240.0, 72.0, 4.0

# Streamlit lets no SVG through in HTML, but pictures. These colours hold on a light and on a dark page.
DRAWN = """<style>
.line { fill: none; stroke: #2f9e6e; stroke-width: 2; }
.band { fill: #2f9e6e; opacity: .25; }
.limit { stroke: #d6504a; stroke-dasharray: 4 3; }
.dot { fill: #2f9e6e; }
.over { fill: #d6504a; }
</style>"""

# Colours are mixed from the page's own text colour, so that they hold on a light and on a dark page.
STYLE = """
<style>
.multiples { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
@media (min-width: 641px) { .multiples { grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr)); } }
.multiples figure {
  margin: 0; padding: .6rem .75rem .5rem; border-radius: .6rem;
  border: 1px solid color-mix(in srgb, currentColor 16%, transparent);
}
.multiples figcaption { font-size: .85rem; font-weight: 600; display: flex; gap: .5rem; min-height: 2lh; }
.multiples figcaption { justify-content: space-between; }
.multiples figcaption span { font-weight: 400; font-variant-numeric: tabular-nums; white-space: nowrap; }
.multiples .high { font-weight: 700; }
.multiples img { width: 100%; height: auto; display: block; margin-top: .3rem; }
.multiples .ends { display: flex; justify-content: space-between; font-size: .75rem; margin-top: .15rem; }
</style>
"""


@dataclass(frozen=True)
class Multiple:
    """One feature's figures, a landing each; None where there is none.

    Attributes:
        title: The feature, with its unit.
        now: The newest figure in words.
        values: What the line goes through.
        low: The lower edge of a band around it; empty for none.
        high: The upper edge.
        limit: Where a warning begins; None for none.
    """

    title: str
    now: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    limit: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether the newest figure is above the limit."""
        newest = next((value for value in reversed(self.values) if value is not None), None)
        return self.limit is not None and newest is not None and newest > self.limit


def multiples_html(texts: Texts, multiples: Sequence[Multiple], *, shared: float | None = None) -> str:
    """All of them in a grid as wide as the page.

    Args:
        texts: The reader's language.
        multiples: In their order.
        shared: Greatest value of an axis from 0 that all share; each has its own if not given.
    """
    figures = "".join(_figure(texts, item, shared) for item in multiples)
    return f'{STYLE}<div class="multiples">{figures}</div>'


def _figure(texts: Texts, item: Multiple, shared: float | None) -> str:
    known = [value for value in (*item.values, *item.low, *item.high) if value is not None]
    bottom, top = (0.0, shared) if shared is not None else (min(known, default=0.0), max(known, default=1.0))
    words = "high" if item.is_over else ""
    mark = " ▲" if item.is_over else ""
    label = texts("quality.multiple", feature=item.title, value=item.now, landings=len(item.values))
    return (
        f"<figure><figcaption>{escape(item.title)}"
        f'<span class="{words}">{escape(item.now)}{mark}</span></figcaption>'
        f'<img alt="{escape(label)}" src="data:image/svg+xml;base64,{_picture(item, bottom, top)}">'
        f'<div class="ends"><span>{escape(texts("quality.oldest"))}</span>'
        f"<span>{escape(texts('quality.newest'))}</span></div></figure>"
    )


def _picture(item: Multiple, bottom: float, top: float) -> str:
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}">{DRAWN}'
        f"{_band(item, bottom, top)}{_limit(item, bottom, top)}{_line(item, bottom, top)}</svg>"
    )
    return b64encode(drawn.encode()).decode()


def _line(item: Multiple, bottom: float, top: float) -> str:
    placed = _placed(item.values, bottom, top)
    if not placed:
        return ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    x, y = placed[-1]
    over = " over" if item.is_over else ""
    dot = f'<circle class="dot{over}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    return f'<polyline class="line" points="{path}"/>{dot}'


def _band(item: Multiple, bottom: float, top: float) -> str:
    upper, lower = _placed(item.high, bottom, top), _placed(item.low, bottom, top)
    if not upper or not lower:
        return ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
    return f'<polygon class="band" points="{path}"/>'


def _limit(item: Multiple, bottom: float, top: float) -> str:
    if item.limit is None or item.limit > top:
        return ""
    (_, y), *_ = _placed([item.limit], bottom, top)
    return f'<line class="limit" x1="0" x2="{WIDTH:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _placed(values: Sequence[float | None], bottom: float, top: float) -> list[tuple[float, float]]:
    step = (WIDTH - 2 * PAD) / max(1, len(values) - 1)
    scale = (HEIGHT - 2 * PAD) / ((top - bottom) or 1.0)
    return [
        (PAD + place * step, HEIGHT - PAD - (value - bottom) * scale)
        for place, value in enumerate(values)
        if value is not None
    ]
