"""The command `canopy`."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from canopy.commands.backup import Stack, backup, restore
from canopy.commands.keys import key_commands
from canopy.commands.lake import lake_commands
from canopy.commands.lineage import lineage
from canopy.commands.maintain import maintain_commands
from canopy.commands.model import model_commands
from canopy.commands.source import source_commands
from canopy.commands.sql import sql
from canopy.show import Json, errors, examples, out, show, working
from contracts.errors import CanopyError
from contracts.outside import OneLine, shown_lines
from contracts.plain_files import absolute
from contracts.rights import as_person, keep_private
from contracts.stack_settings import StackSettings
from deploy.local.environment import account_name, address_environment, direct_to_itself, given_environment
from deploy.secrets import commands_account

if TYPE_CHECKING:
    from source.collect import Collected

Rows = Annotated[Path | None, typer.Option(help="Rows for the simulator: CSV, Parquet, Arrow or JSON.")]
# What a shell has of a program that SIGPIPE has ended (128 + 13): whoever read its answer has gone.
READER_GONE = 141

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="From an HTTP API that hands out batches to a model that can be believed.",
    epilog=examples("canopy demo", "canopy status", "canopy --verbose refine", "canopy lake --help"),
)
app.add_typer(source_commands, name="source", help="The upstream API and its simulator.")
app.add_typer(lake_commands, name="lake", help="Objects, snapshots and what is published.")
app.add_typer(maintain_commands, name="maintain", help="What is done each day, by hand.")
app.add_typer(model_commands)
app.add_typer(key_commands, name="keys", help="API keys of the prediction service.")


@app.callback()
def prepare(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what happens.")] = False,
) -> None:
    """Has every command work on the lake and the services of the local stack, unless settings say
    otherwise."""
    try:
        settings, given = StackSettings(), given_environment()
        account = {} if "TRAINING_MLFLOW_URL" in given else commands_account(settings.folder)
        os.environ.update(
            address_environment(settings) | account | given | direct_to_itself(given) | account_name()
        )
    except (CanopyError, OSError):
        if context.invoked_subcommand != "doctor":  # which says what is wrong with them, and with the rest
            raise
    level = logging.INFO if verbose else logging.WARNING
    handler = RichHandler(console=errors)
    handler.setFormatter(OneLine("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request


@app.command(
    epilog=examples("canopy demo", "canopy demo --exit", "canopy demo --fresh --rows covertype.parquet")
)
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="Leave when the prediction is served.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Put what was collected aside and start over.")
    ] = False,
    rows: Rows = None,
) -> None:
    """Run the whole way on this machine: ten batches, a champion, a prediction. Stays up until Ctrl-C."""
    from canopy.screens.demo import run_demo

    report = run_demo(_with_rows(rows), fresh=fresh, leave=leave)
    typer.echo(json.dumps(report))


@app.command(epilog=examples("canopy up", "canopy up --rows covertype.parquet", "canopy up --stack"))
def up(
    rows: Rows = None,
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
    from canopy.screens.demo import addresses
    from deploy.local.launch import bring_up

    settings = _with_rows(rows)
    bring_up(settings, say=lambda line: errors.print(f"[dim]{line}[/dim]"))
    out.print(addresses(settings))


@app.command(epilog=examples("canopy down", "canopy down --stack"))
def down(stack: Stack = False) -> None:
    """Stop every part; what was collected stays."""
    if stack:
        from deploy.containers.compose import Compose

        compose = Compose(StackSettings())
        names = [service.name for service in compose.services() if service.state == "running"]
        compose.down()
        out.print(f"Stopped: {', '.join(names)}." if names else "No container ran.", highlight=False)
        return
    from deploy.local.start_part import processes_of
    from deploy.local.supervisor import Supervisor

    folder = StackSettings().folder
    supervisor = Supervisor(folder)
    names = [state.part for state in supervisor.states()]
    are_left = bool(processes_of(str(folder)))
    with working("Stopping every part"):
        supervisor.stop()
    rest = "Stopped what was left of the parts." if are_left else f"Nothing ran from {folder}."
    out.print(f"Stopped: {', '.join(names)}." if names else rest, highlight=False)


@app.command(epilog=examples("canopy status", "canopy status --json"))
def status(as_json: Json = False) -> None:
    """Parts, newest landing, what is published, last audit, champion, live accuracy and what comes next."""
    with working("Looking at every part"):
        from canopy.screens.status import status_of

        found = status_of(StackSettings())
    show(found, as_json, found.table)


@app.command(epilog=examples("canopy collect", "canopy collect --json"))
def collect(as_json: Json = False) -> None:
    """Ask the source until its rows in reach are covered or the budget is spent; land what it answers."""
    from deploy.settings_check import check_settings
    from source.collect import collect as collect_run

    check_settings()
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


@app.command(epilog=examples("canopy refine", "canopy refine --requarantine"))
def refine(
    as_json: Json = False,
    requarantine: Annotated[
        bool, typer.Option("--requarantine", help="Judge quarantined rows again, by today's contract.")
    ] = False,
) -> None:
    """Build silver and gold from bronze, audit what was built, publish it."""
    with working("Building, auditing, publishing"):
        from pipeline.refine import refine as refine_lake

        refined = refine_lake(is_requarantine=requarantine)
    publication = refined.publication
    text = (
        f"Snapshot {publication.snapshot_id} is published: {publication.landings} landings, "
        f"{publication.observations} distinct rows, {publication.quarantined} quarantined."
    )
    show(refined, as_json, text)


@app.command(
    epilog=examples(
        "canopy predict",
        "canopy predict rows.json --json",
        "canopy predict -",
        "canopy predict cells.parquet --output answers.csv",
    )
)
def predict(
    file: Annotated[
        Path | None,
        typer.Argument(help="JSON rows, - for stdin; with --output also CSV, Parquet or Arrow."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the answers go, in the kind that it ends in.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the prediction service; without a file, for one cell of forest out of gold."""
    with working("Asking the prediction service"):
        from canopy.screens.predict import predict_into, predict_rows, rows_from

        if output is None:
            answer = predict_rows(rows_from(file))
            text = "\n".join(prediction["cover_type_name"] for prediction in answer["predictions"])
        else:
            answer = {"file": str(output), "bytes": predict_into(file, output)}
            text = f"The answers are in {output}."
    show(answer, as_json, text)


app.command(
    epilog=examples(
        'canopy sql "select count(*) from gold.training_set"',
        'canopy sql "from gold.cover_types" --format csv',
        'canopy sql "from gold.training_set" --output training_set.parquet',
        'canopy sql "from gold.training_set" --at 42',
        "canopy sql",
    )
)(sql)
app.command(epilog=examples("canopy lineage 8d0ec11f5a264c0e8db9159a7d6a137e"))(lineage)
app.command(epilog=examples("canopy backup kept/monday", "canopy backup kept/stack --stack"))(backup)
app.command(epilog=examples("canopy restore kept/monday"))(restore)


@app.command(epilog=examples("canopy doctor", "canopy doctor --json"))
def doctor(as_json: Json = False) -> None:
    """Check versions, memory, disk, settings, ports and each part's health, and say what to do."""
    with working("Looking at everything"):
        from canopy.screens.doctor import examine

        checks = examine()
    table = Table("", "What", "Found", "What to do")
    for check in checks:
        mark = "[green]✓[/]" if check.is_well else "[red]✗[/]"
        table.add_row(mark, *map(escape, (check.what, check.found, check.remedy)))
    show([asdict(check) for check in checks], as_json, table)
    if not all(check.is_well for check in checks):
        raise typer.Exit(1)


@app.command(epilog=examples("canopy docs", "canopy docs site/"))
def docs(
    target: Annotated[Path | None, typer.Argument(help="The folder to write the pages into.")] = None,
) -> None:
    """Write the documentation's pages, with every command, setting and exit status out of the code."""
    with working("Building the pages"):
        from deploy.site.build import build_pages

        with as_person() if target else nullcontext():
            page = build_pages(absolute(target or StackSettings().pages_folder))
    typer.echo(str(page))


def _up_stack(profiles: list[str]) -> None:
    from canopy.screens.addresses import addresses
    from deploy.containers.compose import Compose
    from deploy.settings_check import check_settings

    check_settings()
    settings = StackSettings()
    with errors.status("Starting the stack") as status:
        Compose(settings, profiles=profiles).up(status.update)
    out.print(addresses(settings))


def _landed(collected: Collected) -> str:
    """Returns what a run has brought, batch by batch."""
    batches = Counter[tuple[int, int]]()
    for landing in collected.landings:
        batches[landing.group, landing.batch] += landing.rows
    parts = [f"{rows:,} rows of group {group}, batch {batch}" for (group, batch), rows in batches.items()]
    return f"{len(collected.landings)} responses landed" + (f": {', '.join(parts)}" if parts else "")


def _with_rows(rows: Path | None) -> StackSettings:
    settings = StackSettings()
    return settings.model_copy(update={"rows": rows.expanduser()}) if rows else settings


def main() -> None:
    """Runs the command line: an error is one message and an exit status by kind, never a traceback."""
    keep_private()
    try:
        _run()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer and rich then end with 1, as if of a fault
            sys.exit(READER_GONE)
        raise


def _run() -> None:
    try:
        app()
    except CanopyError as error:
        _leave(error)
    except Exception as error:
        from canopy.unexpected import sentence_for

        _leave(sentence_for(error, _home()))


def _home() -> Path:
    try:
        return StackSettings().folder
    except CanopyError:
        return Path(".canopy").absolute()


def _leave(error: CanopyError) -> NoReturn:
    with suppress(SystemExit, OSError):  # nobody may be there any more who reads it
        errors.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        errors.print(shown_lines(error), markup=False, highlight=False)
    raise SystemExit(error.exit_status)
