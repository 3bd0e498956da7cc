"""`canopy lineage`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from canopy.show import Json, show, working
from contracts.covertype import covertype
from lake.settings import LakeSettings

if TYPE_CHECKING:
    from lake.read.lineage import Origin, Response

TIME = "%Y-%m-%d %H:%M:%S UTC"


def lineage(
    request_id: Annotated[str, typer.Argument(help="As the service's reply names it.")], as_json: Json = False
) -> None:
    """Follow a prediction back to its model, and to the responses that this has learned from."""
    with working("Asking the lake"):
        from lake.read.lineage import trace  # half a second; --help does not need it

        traced = trace(LakeSettings(), request_id)
    if as_json:
        show(traced, as_json, None)
        return
    # Not through rich: a key that is broken at the terminal's edge cannot be copied.
    typer.echo(f"Request {request_id}, rows of the log: {len(traced.predictions)}")
    for line in [*map(_prediction, traced.predictions), *map(_origin, traced.origins)]:
        typer.echo(line)


def _prediction(row: dict[str, Any]) -> str:
    answer = f"{_name(row['predicted'])} {row['probability']:.0%}, version {row['model_version']}"
    flags = f", hardly seen: {' '.join(row['flags'])}" if row["flags"] else ""
    return f"  {row['predicted_at']:{TIME}}  row {row['position']}: {answer}{flags}  ({row['segment']})"


def _origin(origin: Origin) -> str:
    version = f"{origin.model_name} version {origin.model_version}"
    if origin.missing:
        return f"{version}: {origin.missing}"
    rows, count = sum(one.learned_rows for one in origin.responses), len(origin.responses)
    learned = (
        f"{version} learned from {rows} rows of {count} responses, at snapshot {origin.model_snapshot_id}"
    )
    return "\n".join([learned, *map(_response, origin.responses)])


def _response(one: Response) -> str:
    place = f"{one.source}, group {one.group_number}, batch {one.batch_number}, {one.learned_rows} rows"
    return f"  {one.fetched_at:{TIME}}  {place}: {one.raw_key}"


def _name(number: int) -> str:
    names = covertype().class_names
    return names[number] if 0 <= number < len(names) else str(number)
