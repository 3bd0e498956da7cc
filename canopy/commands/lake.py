"""`canopy lake …`"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from canopy.show import Json, examples, working
from contracts.errors import NothingPublished
from lake.settings import LakeSettings

if TYPE_CHECKING:
    from pipeline.verify.published import Published

# Shorter work is over before a bar can be read.
QUIET_S = 1.0

lake_commands = typer.Typer(no_args_is_help=True)


@lake_commands.command(epilog=examples("canopy lake verify", "canopy lake verify --json"))
def verify(as_json: Json = False) -> None:
    """Re-hash every response and file; prove bronze's rows by them, silver's by bronze, gold's by silver."""
    from pipeline.verify.lake import verify as verify_lake

    with _counted() as on_step:
        verified = verify_lake(LakeSettings(), on_step)
    if as_json:
        typer.echo(json.dumps(asdict(verified)))
    else:
        for fault in verified.faults:
            typer.echo(fault, err=True)
        typer.echo(
            f"{verified.landed} landings are whole, {verified.refused} responses are kept refused, "
            f"{verified.unfinished} wait for the next collect, {verified.not_refined} for the next refine."
        )
        typer.echo(_files_line(verified.published))
        typer.echo(f"Faults: {len(verified.faults)}.")
    if verified.faults:
        raise typer.Exit(4)


def _files_line(published: Published) -> str:
    if published.digests_since is None:
        return "No digest of a table's file is recorded yet: the next refine records what is there then."
    said = (
        f"{published.files} files of tables are what was written (digests since {published.digests_since}), "
        f"{published.not_recorded} are not recorded yet"
    )
    if published.snapshot_id is None:
        return f"{said}. Nothing is published."
    return (
        f"{said}. At snapshot {published.snapshot_id}, {len(published.rows_proven)} tables of gold have the "
        f"rows that silver and the log give; {', '.join(published.by_digest_only)} are proven by their files."
    )


@lake_commands.command(epilog=examples("canopy lake replay"))
def replay() -> None:
    """Land every raw response anew, build silver and gold from nothing, audit and publish."""
    from pipeline.refine import refine
    from pipeline.replay import replay_bronze

    with _counted() as on_step:
        replayed = replay_bronze(LakeSettings(), on_step=on_step)
    for key in replayed.written:
        typer.echo(f"{key} is written anew.")
    for damage in replayed.damaged:
        typer.echo(damage, err=True)
    typer.echo(
        f"{replayed.whole} row files were whole, {len(replayed.written)} are written anew, "
        f"{replayed.refused} responses stay refused."
    )
    if replayed.has_rows:
        with working("Building from nothing, auditing, publishing"):
            publication = refine(is_full_refresh=True).publication
        typer.echo(
            f"Snapshot {publication.snapshot_id} is published: {publication.landings} landings, "
            f"{publication.observations} distinct rows."
        )
    if replayed.damaged:
        raise typer.Exit(4)


@lake_commands.command(epilog=examples("canopy lake publications"))
def publications() -> None:
    """List what was published, newest first: how much is new in it, by which audit, how long it took."""
    from lake.publish.pointer import published

    for publication, new_landings in published(LakeSettings()):
        new = "" if new_landings is None else f" ({len(new_landings)} new)"
        audited = f", audit {publication.audit_id}" if publication.audit_id else ""
        took = "" if publication.seconds is None else f", {publication.seconds:.1f} s"
        typer.echo(
            f"{publication.publication_id:>4}  snapshot {publication.snapshot_id:<6} "
            f"{publication.published_at:%Y-%m-%d %H:%M:%S}  {publication.landings} landings{new}, "
            f"{publication.observations} rows, {publication.quarantined} quarantined{audited}{took}"
        )


@lake_commands.command(epilog=examples("canopy lake audits", "canopy lake audits --limit 3"))
def audits(limit: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20) -> None:
    """List what was audited, newest first: what failed, what was a warning, what was held back."""
    from lake.publish.audits import recorded_audits

    for audit_id, found in recorded_audits(LakeSettings(), limit):
        verdict = "passed" if found.is_passed else "failed"
        typer.echo(
            f"{audit_id:>4}  snapshot {found.snapshot_id:<6} {found.audited_at:%Y-%m-%d %H:%M:%S}  "
            f"{verdict}, {found.expectations} expectations, {len(found.landings)} landings judged, "
            f"{len(found.held)} held back, {found.seconds:.1f} s"
        )
        for kind, texts in (("failed", found.failures), ("warning", found.warnings)):
            for text in texts:
                typer.echo(f"      {kind}: {text}")


@lake_commands.command(epilog=examples("canopy lake held"))
def held() -> None:
    """Landings that an audit holds back, with its findings; none of their rows is published."""
    from lake.bronze.held import holds
    from lake.objects import open_objects

    waiting = [found for found in holds(open_objects(LakeSettings())) if not found.is_released]
    for found in waiting:
        typer.echo(f"{found.landing_id}  since {found.held_at:%Y-%m-%d %H:%M:%S}")
        for text in found.findings:
            typer.echo(f"      {text}")
    if not waiting:
        typer.echo("No landing is held back.")


@lake_commands.command(epilog=examples("canopy lake release 20261122T120500000000Z-0123abcd"))
def release(
    landings: Annotated[
        list[str], typer.Argument(metavar="LANDING...", help="As `canopy lake held` lists it.")
    ],
) -> None:
    """Let landings in that an audit holds back; the next refine judges them by their rows only."""
    from lake.bronze.held import release as release_landing
    from lake.objects import open_objects

    objects = open_objects(LakeSettings())
    for landing in landings:
        release_landing(objects, landing)
        typer.echo(f"{landing} is released. The next `canopy refine` takes its rows in.")


@lake_commands.command(epilog=examples("canopy lake audit"))
def audit() -> None:
    """Audit the newest snapshot with Great Expectations; landings that fail are held back."""
    with working("Auditing the newest snapshot"):
        from expectations.audit import audit as audit_lake

        audited = audit_lake()
    for warning in audited.warnings:
        typer.echo(warning, err=True)
    typer.echo(audited.summary)


@lake_commands.command(epilog=examples("canopy lake publish", "canopy lake publish 42"))
def publish(
    snapshot: Annotated[int | None, typer.Argument(help="A snapshot that passed its audit.")] = None,
) -> None:
    """Audit a snapshot and move the published pointer to it."""
    with working("Auditing, publishing"):
        from expectations.audit import audit as audit_lake
        from lake.publish.pointer import publish as publish_snapshot

        audited = audit_lake(snapshot_id=snapshot)
        publication = publish_snapshot(LakeSettings(), audited.snapshot_id, audited.summary)
    typer.echo(f"Snapshot {publication.snapshot_id} is published.")


@lake_commands.command(epilog=examples("canopy lake compact"))
def compact() -> None:
    """Merge small files and segments of predictions, expire old snapshots, delete what nobody needs."""
    with working("Merging small files"):
        from lake.bronze.merging import merge_predictions
        from lake.catalog.compact import compact as compact_lake
        from training.promote.registry import Registry
        from training.settings import TrainingSettings

        merged = merge_predictions(LakeSettings())
        done = compact_lake(LakeSettings(), Registry(TrainingSettings()).cited_snapshots())
    for fault in merged.faults:
        typer.echo(fault, err=True)
    typer.echo(
        f"{merged.segments} segments of predictions are merged into {merged.objects} objects, "
        f"{merged.removed} that were merged before are removed: "
        f"{merged.objects_before} objects are {merged.objects_after} now."
    )
    typer.echo(
        f"{done.expired} snapshots are expired, {done.pinned} older ones stay: published, or cited. "
        f"{done.files_before} files are {done.files_after} now; {done.deleted} were deleted."
    )


@lake_commands.command(epilog=examples("canopy lake docs", "canopy lake docs site/dbt"))
def docs(
    target: Annotated[Path | None, typer.Argument(help="The folder to write the site into.")] = None,
) -> None:
    """Write dbt's pages: every table with its columns, tests and lineage."""
    with working("Describing the tables"):
        from lake.publish.pointer import latest
        from pipeline.dbt import build_docs

        if latest(LakeSettings()) is None:
            raise NothingPublished
        page = build_docs(target=target)
    typer.echo(str(page))


@lake_commands.command(epilog=examples("canopy lake manifest"))
def manifest() -> None:
    """Write dbt's manifest, which Airflow draws the refine DAG from; no lake is needed."""
    with working("Reading the dbt project"):
        from pipeline.dbt import write_manifest

        written = write_manifest()
    typer.echo(str(written))


@lake_commands.command(epilog=examples("canopy lake env"))
def env() -> None:
    """Print the environment for dbt by hand: eval "$(canopy lake env)" and then dbt build in dbt_project/."""
    from lake.dbt.environment import dbt_environment

    for name, value in dbt_environment(LakeSettings()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@contextmanager
def _counted() -> Iterator[Callable[[str, int, int], None]]:
    """Yields a bar on a terminal, where the work takes longer than a second; it is gone afterwards."""
    console = Console(stderr=True)
    bar, began = Progress(console=console, transient=True), time.monotonic()
    task = bar.add_task("")

    def on_step(what: str, done: int, total: int) -> None:
        bar.update(task, description=what, completed=done, total=total)
        if console.is_terminal and time.monotonic() - began > QUIET_S:
            bar.start()

    try:
        yield on_step
    finally:
        bar.live.stop()
