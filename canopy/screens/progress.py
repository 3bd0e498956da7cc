"""The demo's live picture: steps, batches, what is at work and what is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from canopy.screens.watch import Batch, StackState, scores_text

SHOWN_LINES = 6


class Progress:
    """On a terminal a picture that is drawn anew; elsewhere one line for each thing that happened."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._lines: list[str] = []
        self._now = StackState()
        self._waiting = ""
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draws while the block runs."""
        if not self._console.is_terminal:
            yield
            return
        with Live(get_renderable=self._picture, console=self._console, refresh_per_second=4) as self._live:
            yield
        self._live = None

    def say(self, line: str) -> None:
        """Says one thing that happened."""
        stamped = f"{time.monotonic() - self._started:6.1f} s  {line}"
        self._lines.append(stamped)
        if self._live is None:
            self._console.print(stamped, markup=False, highlight=False, soft_wrap=True)

    def update(self, now: StackState, waiting: str) -> None:
        """Shows the newest look at everything, and what is waited for."""
        for batch in now.batches[len(self._now.batches) :]:
            self.say(
                f"batch {batch.batch}: {batch.landed} rows landed, {batch.new} new, "
                f"{batch.quarantined} quarantined; published"
            )
        if now.landed > self._now.landed and self._live is None:
            self.say(f"{now.landed} responses are in bronze")
        if now.champion_version != self._now.champion_version:
            self.say(f"the service answers with {_champion(now)}")
        self._now, self._waiting = now, waiting

    def _picture(self) -> RenderableType:
        lines = Text("\n".join(self._lines[-SHOWN_LINES:]), style="dim")
        return Group(_batch_table(self._now.batches), self._state(), lines)

    def _state(self) -> Table:
        now = self._now
        table = Table.grid(padding=(0, 2))
        published = now.publication
        table.add_row("in bronze", f"{now.landed} responses")
        table.add_row("published", f"snapshot {published.snapshot_id}" if published else "nothing yet")
        table.add_row("champion", _champion(now))
        table.add_row("at work", ", ".join(now.at_work) or "–")
        table.add_row("waits for", f"{self._waiting} ({time.monotonic() - self._started:.0f} s)")
        return table


def _batch_table(batches: tuple[Batch, ...]) -> Table:
    table = Table("batch", title="From the source to gold")
    for name in ("landed", "new", "quarantined"):
        table.add_column(name, justify="right")
    for batch in batches:
        table.add_row(str(batch.batch), f"{batch.landed:,}", f"{batch.new:,}", f"{batch.quarantined:,}")
    return table


def _champion(now: StackState) -> str:
    return f"version {now.champion_version}, {scores_text(now.champion)}" if now.champion else "none yet"
