"""`canopy status`: the local stack on one screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table

from canopy.settings import StackSettings
from canopy.stack.parts import parts
from canopy.stack.supervisor import State, Supervisor
from canopy.watch import champion
from lake.published import Publication, latest
from lake.settings import LakeSettings


@dataclass(frozen=True)
class Status:
    """Parts, pointer and champion.

    Attributes:
        parts: One for each process; empty if the stack does not run.
        addresses: Where each part listens.
        publication: Where the pointer stands, or None.
        champion: What the prediction service says of its model, or None.
    """

    parts: list[State]
    addresses: dict[str, str]
    publication: Publication | None
    champion: dict[str, Any] | None

    @property
    def table(self) -> Group:
        """For a person."""
        table = Table("part", "state", "since", "where")
        for state in self.parts:
            table.add_row(state.part, state.name, state.description, self.addresses.get(state.part, ""))
        lines = [table if self.parts else "Nothing runs. Start it with `canopy up` or `canopy demo`."]
        if self.publication:
            found = self.publication
            lines.append(
                f"published: snapshot {found.snapshot_id} at {found.published_at:%Y-%m-%d %H:%M} UTC, "
                f"{found.landings} landings, {found.observations} distinct rows"
            )
        else:
            lines.append("published: nothing yet; `canopy collect` and `canopy refine` publish")
        lines.append(
            f"champion: version {self.champion['version']}" if self.champion else "champion: none is served"
        )
        return Group(*lines)


def status_of(settings: StackSettings) -> Status:
    """Looks at everything once; a part that is away is simply not there."""
    supervisor = Supervisor(settings.folder)
    return Status(
        parts=supervisor.states(),
        addresses={part.name: part.url for part in parts(settings) if part.url},
        publication=latest(LakeSettings()),
        champion=champion(settings),
    )
