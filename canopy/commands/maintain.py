"""`canopy maintain …`: what the DAG `maintain` does each day, by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from canopy.show import Json, examples, show, working
from contracts.stack_settings import StackSettings
from lake.settings import LakeSettings

maintain_commands = typer.Typer(no_args_is_help=True)

Dry = Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")]


@maintain_commands.command(epilog=examples("canopy maintain models --dry-run", "canopy maintain models"))
def models(dry_run: Dry = False, as_json: Json = False) -> None:
    """Remove versions and runs that nothing needs any more, with their files (TRAINING_KEEP_*)."""
    with working("Looking at every version and run"):
        from training.promote.retention import retain
        from training.settings import TrainingSettings

        done = retain(TrainingSettings(), LakeSettings(), is_dry=dry_run)
    lines = [f"Version {number} stays: {why}." for number, why in done.kept.items()]
    gone = "would go" if dry_run else "are gone"
    named = ", ".join(map(str, done.versions)) or "none"
    lines.append(f"Versions that {gone}: {named}. Runs that {gone}: {len(done.runs)}.")
    show(done, as_json, "\n".join(lines))


@maintain_commands.command(epilog=examples("canopy maintain airflow --dry-run", "canopy maintain airflow"))
def airflow(dry_run: Dry = False, as_json: Json = False) -> None:
    """Remove Airflow's old runs from its database, and their logs (CANOPY_KEEP_RUNS_DAYS)."""
    with working("Having Airflow clean its database"):
        from pipeline.airflow_history import clean_airflow

        done = clean_airflow(StackSettings(), is_dry=dry_run)
    gone = "would go" if dry_run else "are gone"
    text = f"{done.rows:,} rows and {done.logs:,} logs of {done.log_bytes / 1e6:,.1f} MB {gone}."
    show(done, as_json, text)


@maintain_commands.command(epilog=examples("canopy maintain catalog"))
def catalog(as_json: Json = False) -> None:
    """Keep a proven copy of the lake's SQLite catalog, and let go of the oldest (LAKE_KEEP_CATALOGS)."""
    with working("Copying the catalog"):
        from lake.catalog.keep import keep_catalog

        kept = keep_catalog(LakeSettings())
    text = f"{kept} is a copy of the catalog." if kept else "There is no SQLite catalog to copy."
    show({"file": str(kept) if kept else None}, as_json, text)
