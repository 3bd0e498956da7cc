"""The picture of the pipeline, layer by layer, with live numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from ui.language import Texts

State = Literal["ok", "early", "unavailable"]

# Colours hold on a light and on a dark page: they are mixed from the page's own text colour. The list
# runs from left to right where there is room, else from top to bottom.
STYLE = """
<style>
.stages-frame { container-type: inline-size; }
.stages-frame ol.stages { list-style: none; margin: .25rem 0 0; padding: 0; display: grid; gap: 1.3rem; }
.stages-frame .stages li {
  position: relative; margin: 0; padding: .7rem .9rem; border-radius: .7rem; min-width: 0; font-size: 1rem;
  display: grid; grid-template-columns: 1fr auto; column-gap: 1rem; align-items: baseline;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  background: color-mix(in srgb, currentColor 3%, transparent);
}
.stages li:not(:last-child)::after {
  content: ""; position: absolute; width: .5rem; height: .5rem; opacity: .45;
  border: solid currentColor; border-width: 2px 2px 0 0;
  left: calc(50% - .3rem); bottom: -.85rem; transform: rotate(135deg);
}
.stages .name { display: flex; align-items: center; gap: .45rem; font-weight: 600; }
.stages .dot { width: .6rem; height: .6rem; border-radius: 50%; flex: none; }
.stages .ok .dot { background: #2fa36b; }
.stages .early .dot { background: transparent; border: 2px solid #d0902a; }
.stages .unavailable .dot { background: #d6504a; }
.stages .is, .stages .unit { font-size: .8rem; opacity: .8; line-height: 1.3; }
.stages .number { font-size: 1.4rem; line-height: 1.2; font-weight: 600; font-variant-numeric: tabular-nums; }
.stages .number, .stages .unit { text-align: right; grid-column: 2; }
.stages .name, .stages .number { grid-row: 1; }
.stages .is, .stages .unit { grid-row: 2; }
.stages .lines { margin-top: .35rem; grid-column: 1 / -1; font-size: .8rem; line-height: 1.45; }
.stages .early .number, .stages .unavailable .number { opacity: .7; }
.stages .run {
  grid-column: 1 / -1; margin-top: .55rem; padding-top: .45rem; font-size: .78rem; line-height: 1.4;
  border-top: 1px solid color-mix(in srgb, currentColor 14%, transparent);
}
.stages .mark { display: inline-block; width: .5rem; height: .5rem; margin-right: .35rem;
  border-radius: .1rem; }
.stages .run .mark { background: #9aa7a0; }
.stages .run.success .mark { background: #2fa36b; }
.stages .run.failed .mark { background: #d6504a; }
.stages .run.running .mark, .stages .run.queued .mark { background: #3f8fd2; }
.stages .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@container (min-width: 46rem) {
  .stages-frame ol.stages { grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 1.2rem; }
  .stages-frame .stages li { padding: .75rem .65rem .8rem; display: flex; flex-direction: column; }
  .stages .run { margin-top: auto; }
  .stages .lines { margin-bottom: .6rem; }
  .stages .is { min-height: 2lh; margin-top: .1rem; }
  .stages .number { margin-top: .45rem; }
  .stages .number, .stages .unit { text-align: left; }
  .stages li:not(:last-child)::after {
    left: auto; right: -.85rem; bottom: auto; top: calc(50% - .3rem); transform: rotate(45deg);
  }
}
</style>
"""


@dataclass(frozen=True)
class LastRun:
    """The last run of what moves a stage.

    Attributes:
        dag: What runs in Airflow.
        state: `success`, `failed`, `running`, `queued` or `never`.
        state_text: The same in words.
        text: Its age and duration in words.
    """

    dag: str
    state: str
    state_text: str
    text: str


@dataclass(frozen=True)
class Stage:
    """One layer of the pipeline.

    Attributes:
        key: Its name in the catalogue.
        state: `ok`, `early` while there is nothing yet, `unavailable` where it cannot be read.
        number: What stands large in it.
        lines: What stands below.
        run: The last run that moved it, where something in Airflow does.
    """

    key: str
    state: State
    number: str = "–"
    lines: tuple[str, ...] = ()
    run: LastRun | None = None


def overview_html(texts: Texts, stages: Sequence[Stage]) -> str:
    """Returns the stages as a list that reads in order without any style, too."""
    items = "".join(_stage(texts, stage) for stage in stages)
    return f'{STYLE}<div class="stages-frame"><ol class="stages">{items}</ol></div>'


def _stage(texts: Texts, stage: Stage) -> str:
    lines = "".join(f'<div class="line">{escape(line)}</div>' for line in stage.lines)
    return (
        f'<li class="{stage.state}"><div class="name"><span class="dot"></span>'
        f"{escape(texts(f'stage.{stage.key}'))}"
        f'<span class="hidden">: {escape(texts(f"stage.state.{stage.state}"))}</span></div>'
        f'<div class="is">{escape(texts(f"stage.is.{stage.key}"))}</div>'
        f'<div class="number">{escape(stage.number)}</div>'
        f'<div class="unit">{escape(texts(f"stage.unit.{stage.key}"))}</div>'
        f'<div class="lines">{lines}</div>{_run(stage.run)}</li>'
    )


def _run(run: LastRun | None) -> str:
    if run is None:
        return ""
    return (
        f'<div class="run {escape(run.state)}"><span class="mark"></span>'
        f"<b>{escape(run.dag)}</b> {escape(run.state_text)}<br>{escape(run.text)}</div>"
    )
