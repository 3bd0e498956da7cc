"""`canopy source …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canopy.show import examples, working
from contracts.rights import as_person
from contracts.stack_settings import StackSettings

source_commands = typer.Typer(no_args_is_help=True)


@source_commands.command(epilog=examples("canopy source fetch", "canopy source fetch rows/covertype.parquet"))
def fetch(
    target: Annotated[Path, typer.Argument(help="The Parquet file to write.")] = Path("covertype.parquet"),
) -> None:
    """Download the full survey through scikit-learn and recode it to the source's 13 columns."""
    with working("Downloading the survey"):
        from source.fetch import fetch_full_set

        with as_person():
            written = fetch_full_set(target)
    typer.echo(f"{written} is written. Use it with `canopy demo --rows {target}`.")


@source_commands.command(epilog=examples("canopy source simulate"))
def simulate() -> None:
    """Run the simulator of the source in the foreground (settings: SIMULATOR_*).

    Where these do not say it, port, window and rows are as `canopy up` has them: CANOPY_SOURCE_PORT,
    CANOPY_WINDOW_S, CANOPY_ROWS. There `canopy collect` asks.
    """
    from source.simulator.server import run
    from source.simulator.settings import SimulatorSettings

    stack, own = StackSettings(), SimulatorSettings()
    usual = {"port": stack.source_port, "window_s": stack.window_s, "rows": stack.rows}
    run(own.model_copy(update={name: usual[name] for name in usual.keys() - own.model_fields_set}))


@source_commands.command(epilog=examples("canopy source restart --group 1 --yes"))
def restart(
    group: Annotated[int, typer.Option(help="The group whose collection is thrown away.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Required: everybody in the group loses its progress.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="The source, by its name, where SOURCE_NAMES lists several.")
    ] = None,
) -> None:
    """Reset the source's counter of a group. This destroys a collection in progress for everyone in it."""
    if not yes:
        raise typer.BadParameter(
            f"This restarts group {group} for everyone. Repeat it with --yes if you mean it."
        )
    from deploy.settings_check import check_settings
    from lake.objects import open_objects
    from lake.settings import LakeSettings
    from source.restart import restart as restart_group
    from source.settings import named_source

    check_settings()
    record = restart_group(named_source(source), group, open_objects(LakeSettings()))
    typer.echo(f"Group {group} starts again at its first batch; written down in {record}.")
