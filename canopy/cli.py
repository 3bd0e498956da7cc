"""The command `canopy`."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.logging import RichHandler
from rich.table import Table

from canopy.cli_backup import backup, restore
from canopy.cli_keys import key_commands
from canopy.cli_lake import lake_commands
from canopy.cli_lineage import lineage
from canopy.cli_model import model_commands
from canopy.cli_source import source_commands
from canopy.cli_sql import sql
from canopy.settings import StackSettings
from canopy.show import Json, errors, out, show
from canopy.stack.environment import given_environment, room_environment
from contracts.errors import CanopyError

if TYPE_CHECKING:
    from source.collect import Collected

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="From an HTTP API that hands out batches to a model that can be believed.",
)
app.add_typer(source_commands, name="source", help="The upstream API and its simulator.")
app.add_typer(lake_commands, name="lake", help="Objects, snapshots and what is published.")
app.add_typer(model_commands)
app.add_typer(key_commands, name="keys", help="API keys of the prediction service.")


@app.callback()
def prepare(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what happens.")] = False,
) -> None:
    """Every command works on the lake and the services of the local stack, unless settings say otherwise."""
    os.environ.update(room_environment(StackSettings()) | given_environment())
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", handlers=[RichHandler(console=errors)])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request


@app.command()
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Leave when the prediction is served.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what was collected and start over.")] = False,
    rows: Annotated[Path | None, typer.Option(help="Rows for the simulator: csv, csv.gz or parquet.")] = None,
) -> None:
    """Run the whole way on this machine: ten batches, a champion, a prediction. Stays up until Ctrl-C."""
    from canopy.demo import run_demo

    report = run_demo(_with_rows(rows), fresh=fresh, leave=leave)
    typer.echo(json.dumps(report))


@app.command()
def up(
    rows: Annotated[Path | None, typer.Option(help="Rows for the simulator: csv, csv.gz or parquet.")] = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="As containers, with MinIO, MySQL and PostgreSQL.")
    ] = False,
    profile: Annotated[
        list[str] | None, typer.Option(help="With --stack: simulator, scale, observe or proxy; repeatable.")
    ] = None,
) -> None:
    """Start every part in the background, at the real pace: one poll every five minutes."""
    if stack:
        _up_stack(profile or [])
        return
    from canopy.demo import addresses
    from canopy.stack.launch import bring_up

    settings = _with_rows(rows)
    bring_up(settings, say=lambda line: errors.print(f"[dim]{line}[/dim]"))
    out.print(addresses(settings))


@app.command()
def down(
    stack: Annotated[bool, typer.Option("--stack", help="The containers of `canopy up --stack`.")] = False,
) -> None:
    """Stop every part; what was collected stays."""
    if stack:
        from canopy.stack.compose import Compose

        Compose(StackSettings()).down()
        return
    from canopy.stack.supervisor import Supervisor

    Supervisor(StackSettings().folder).stop()


@app.command()
def status(as_json: Json = False) -> None:
    """Which parts run, since when, and what is published and promoted."""
    from canopy.status import status_of

    found = status_of(StackSettings())
    show(found, as_json, found.table)


@app.command()
def collect(as_json: Json = False) -> None:
    """Ask the source until its rows in reach are covered or the budget is spent; land what it answers."""
    from source.collect import collect as collect_run

    with errors.status("Asking the source") as status:
        collected = collect_run(
            on_step=lambda step: status.update(f"Asking the source: {_landed(step)}, and again soon")
        )
    report = {
        "outcomes": [type(outcome).__name__ for outcome in collected.outcomes],
        "landings": [asdict(landing) for landing in collected.landings],
        "reasons": collected.reasons,
        "failures": collected.failures,
    }
    show(report, as_json, "\n".join([_landed(collected), *collected.reasons]))
    collected.raise_failure()


@app.command()
def refine(
    as_json: Json = False,
    requarantine: Annotated[
        bool, typer.Option("--requarantine", help="Judge quarantined rows again, by today's contract.")
    ] = False,
) -> None:
    """Build silver and gold from bronze, audit what was built, publish it."""
    from canopy.refine import refine as refine_lake

    with errors.status("Building, auditing, publishing"):
        refined = refine_lake(is_requarantine=requarantine)
    publication = refined.publication
    text = (
        f"Snapshot {publication.snapshot_id} is published: {publication.landings} landings, "
        f"{publication.observations} distinct rows, {publication.quarantined} quarantined."
    )
    show(refined, as_json, text)


@app.command()
def predict(
    file: Annotated[
        Path | None,
        typer.Argument(help="JSON rows, - for stdin; or a CSV, JSON Lines, Parquet or Arrow file."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the answers go, in the kind that it ends in.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the prediction service; without a file, for one cell of forest out of gold.

    Example: canopy predict cells.parquet --output answers.csv
    """
    from canopy.predict import open_client, predict_rows, rows_from

    if output is not None and file is not None:
        with errors.status("Predicting"), open_client() as client:
            written = client.predict_file(file, output)
        show({"file": str(output), "bytes": written}, as_json, f"The answers are in {output}.")
        return
    answer = predict_rows(rows_from(file))
    names = [prediction["cover_type_name"] for prediction in answer["predictions"]]
    show(answer, as_json, "\n".join(names))


app.command()(sql)
app.command()(lineage)
app.command()(backup)
app.command()(restore)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check versions, ports, disk and settings, and say what to do."""
    from canopy.doctor import examine

    checks = examine(StackSettings())
    table = Table("", "What", "Found", "What to do")
    for check in checks:
        table.add_row("[green]✓[/]" if check.is_well else "[red]✗[/]", check.what, check.found, check.remedy)
    show([asdict(check) for check in checks], as_json, table)
    if not all(check.is_well for check in checks):
        raise typer.Exit(1)


def _up_stack(profiles: list[str]) -> None:
    from canopy.stack.compose import Compose
    from canopy.stack.compose_show import addresses

    settings = StackSettings()
    with errors.status("Starting the stack") as status:
        Compose(settings, profiles=profiles).up(status.update)
    out.print(addresses(settings))


def _landed(collected: Collected) -> str:
    """What a run has brought, batch by batch."""
    batches = Counter[tuple[int, int]]()
    for landing in collected.landings:
        batches[landing.group, landing.batch] += landing.rows
    parts = [f"{rows:,} rows of group {group}, batch {batch}" for (group, batch), rows in batches.items()]
    return f"{len(collected.landings)} responses landed" + (f": {', '.join(parts)}" if parts else "")


def _with_rows(rows: Path | None) -> StackSettings:
    settings = StackSettings()
    return settings.model_copy(update={"rows": rows}) if rows else settings


def main() -> None:
    """Entry point: an expected error is one message and an exit status by kind, never a traceback."""
    try:
        app()
    except CanopyError as error:
        errors.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        errors.print(str(error), markup=False, highlight=False)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
