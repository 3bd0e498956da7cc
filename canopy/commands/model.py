"""`canopy train`, `models`, `promote`, `refuse`, `rollback`, `reproduce`, `search`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from canopy.show import Json, examples, show, working
from contracts.model_artefact import Tag

if TYPE_CHECKING:
    from clients.mlflow import Version

model_commands = typer.Typer()

RUN_ID_LENGTH = 32
SCORES = ("macro_f1", "macro_f1_low", "macro_f1_high", "accuracy", "naive_macro_f1")
Number = Annotated[int, typer.Argument(help="Number of the version, as `canopy models` shows it.")]


@model_commands.command(epilog=examples("canopy train", "canopy train --force"))
def train(
    force: Annotated[bool, typer.Option("--force", help="Also where nothing calls for it.")] = False,
    as_json: Json = False,
) -> None:
    """Learn from what is published; promote the model if it passes the gate."""
    with working("Training"):
        from training.train import train as train_model

        trained = train_model(force=force)
    show(trained, as_json, trained.reason)


@model_commands.command(epilog=examples("canopy models", "canopy models 3", "canopy models --json"))
def models(
    version: Annotated[int | None, typer.Argument(help="One version: what the gate looked at.")] = None,
    as_json: Json = False,
) -> None:
    """List the versions with their scores and aliases, or show how one came through the gate."""
    with working("Asking MLflow"):
        from training.promote.registry import Registry
        from training.settings import TrainingSettings

        registry = Registry(TrainingSettings())
        found = registry.all_versions() if version is None else []
    if version is None:
        show([_row(one, aliases) for one, aliases in found], as_json, _listed(found))
    else:
        one = registry.version(version)
        show({**_row(one, ()), "criteria": _criteria(one.tags)}, as_json, _judged(one))


@model_commands.command(epilog=examples("canopy promote 3"))
def promote(version: Number, as_json: Json = False) -> None:
    """Let a version answer, whatever the gate said; who answered until now is kept as `previous`."""
    with working("Trying the version, then moving the alias"):
        from training.promote.promotion import promote as promote_version
        from training.settings import TrainingSettings

        chosen = promote_version(TrainingSettings(), version)
    show({"champion": chosen.number}, as_json, f"Version {chosen.number} is the champion.")


@model_commands.command(epilog=examples("canopy refuse 3"))
def refuse(version: Number, as_json: Json = False) -> None:
    """Refuse a version that waits for a person's approval."""
    with working("Telling MLflow"):
        from training.promote.promotion import answer
        from training.settings import TrainingSettings

        refused = answer(TrainingSettings(), version, is_approved=False, person="the command line")
    show({"refused": refused.number}, as_json, f"Version {refused.number} is refused.")


@model_commands.command(epilog=examples("canopy rollback"))
def rollback(as_json: Json = False) -> None:
    """Let the previous champion answer again; a second rollback undoes the first."""
    with working("Moving the alias"):
        from training.promote.promotion import rollback as roll_back
        from training.settings import TrainingSettings

        chosen = roll_back(TrainingSettings())
    show({"champion": chosen.number}, as_json, f"Version {chosen.number} is the champion again.")


@model_commands.command(
    epilog=examples("canopy reproduce 3", "canopy reproduce 0123456789abcdef0123456789abcdef")
)
def reproduce(
    run: Annotated[
        str,
        typer.Argument(
            help="Number of a version, or the id of an MLflow run, as `canopy models 3` shows it."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Train a run again from its snapshot; exit status 0 says that all figures are the same."""
    with working("Training again"):
        from training.promote.registry import Registry
        from training.report.reproduce import reproduce as train_again
        from training.settings import TrainingSettings

        is_version, run_id = run.isdecimal() and len(run) < RUN_ID_LENGTH, run
        if is_version:
            run_id = Registry(TrainingSettings()).version(int(run)).run_id
        again = train_again(run_id)
    equal = f"macro-F1 {again.figures['macro_f1']}, the artefact byte for byte"
    show(again, as_json, "\n".join([f"The run {run_id} came out as before: {equal}.", *again.notes]))


@model_commands.command(
    epilog=examples("canopy search --seconds 900", "canopy search --candidate extra_trees --rows 10000")
)
def search(
    seconds: Annotated[float, typer.Option(help="When to stop looking.", min=1)] = 600,
    candidate: Annotated[
        list[str] | None, typer.Option(help="What to try; may be given several times. Else all.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Learn from so many rows at most.", min=100)] = 30_000,
    as_json: Json = False,
) -> None:
    """Look for better settings on the rows to train on; the winner is what is trained from then on."""
    with working(f"Searching for {seconds:.0f} s"):
        from training.fit.search import search as search_settings

        found = search_settings(seconds=seconds, candidates=candidate or (), rows=rows)
    parameters = json.dumps(dict(found.choice.parameters))
    text = (
        f"{found.choice.name} {parameters}: macro-F1 {found.macro_f1.value:.4f} "
        f"[{found.macro_f1.low:.4f}, {found.macro_f1.high:.4f}], {found.megabytes:.1f} MB, "
        f"{found.latency_ms:.2f} ms a row. {found.trials} trials, {found.pruned} given up early."
    )
    show(found, as_json, text)


def _row(version: Version, aliases: tuple[str, ...]) -> dict[str, Any]:
    tags = version.tags
    return {
        "version": version.number,
        "aliases": list(aliases),
        "verdict": tags.get(Tag.VERDICT),
        "reason": tags.get(Tag.VERDICT_REASON),
        "trained_because": tags.get(Tag.REASON),
        "candidate": tags.get(Tag.CANDIDATE),
        **{name: version.score(name) for name in SCORES},
        "train_rows": int(tags[Tag.TRAIN_ROWS]) if Tag.TRAIN_ROWS in tags else None,
        "snapshot_id": int(tags[Tag.SNAPSHOT_ID]) if Tag.SNAPSHOT_ID in tags else None,
        "run_id": version.run_id,
    }


def _criteria(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(tags.get(Tag.GATE, "[]"))
    return found


def _listed(found: list[tuple[Version, tuple[str, ...]]]) -> Table:
    table = Table("Version", "macro-F1", "random\nsplit", "rows", "snapshot", "verdict")  # fits 80 columns
    for version, aliases in found:
        row = _row(version, aliases)
        table.add_row(
            " ".join([str(version.number), *aliases]),
            _told(row, "macro_f1", "{macro_f1:.3f} [{macro_f1_low:.3f}, {macro_f1_high:.3f}]"),
            _told(row, "naive_macro_f1", "{naive_macro_f1:.3f}"),
            _told(row, "train_rows", "{train_rows:,}"),
            _told(row, "snapshot_id", "{snapshot_id}"),
            row["verdict"] or "not judged",
        )
    return table


def _told(row: Mapping[str, Any], name: str, pattern: str) -> str:
    return "–" if row[name] is None else pattern.format(**row)


def _judged(version: Version) -> Table:
    verdict = version.tags.get(Tag.VERDICT, "not judged")
    table = Table(
        "",
        "Criterion",
        "Value",
        "Threshold",
        "",
        title=f"Version {version.number}: {verdict}",
        caption=f"MLflow's run {version.run_id}",
    )
    for item in _criteria(version.tags):
        mark = "[green]✓[/]" if item["passed"] else "[red]✗[/]"
        figures = ("–" if item[name] is None else f"{item[name]:.4g}" for name in ("value", "threshold"))
        table.add_row(mark, item["name"], *figures, item["says"])
    return table
