"""What each stage of the pipeline has to say, from gold, the registry, serving and Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from clients.airflow import Run
from clients.mlflow import Version
from contracts.model_artefact import Tag
from contracts.prediction import AnsweringModel
from lake.bronze.events import Event
from ui.charts.pipeline_overview import LastRun, Stage, State
from ui.language import Texts
from ui.reading.gold import Progress, live_accuracy
from ui.views.absence import Unavailable

# Which DAG moves which stage.
MOVED_BY = {"source": "collect", "bronze": "collect", "silver": "refine", "gold": "refine", "model": "train"}


def lake_stages(texts: Texts, progress: Progress | Unavailable) -> list[Stage]:
    """Returns the stages from the source to gold."""
    if isinstance(progress, Unavailable):
        return [_absent(texts, key, progress) for key in ("source", "bronze", "silver", "gold")]
    totals = progress.totals
    fetched_at = totals.last_fetched_at
    return [
        _stage(texts, "source", totals.requests, _line(texts, "batches", batches=totals.batches)),
        _stage(
            texts,
            "bronze",
            totals.rows,
            *([_line(texts, "last_landing", age=texts.age(fetched_at))] if fetched_at else []),
        ),
        _stage(
            texts,
            "silver",
            totals.new_rows,
            _line(texts, "repeated", rows=totals.repeated_rows),
            _line(texts, "quarantined", rows=totals.quarantined_rows),
        ),
        _stage(
            texts,
            "gold",
            progress.published.observations,
            _line(texts, "published", age=texts.age(progress.published.published_at)),
            _line(texts, "snapshot_is", snapshot=str(progress.published.snapshot_id)),
        ),
    ]


def with_ends(texts: Texts, stages: list[Stage], ended: tuple[Event, ...] | Unavailable) -> list[Stage]:
    """Returns the stages with what the source has said of its end, which explains why nothing comes."""
    if isinstance(ended, Unavailable) or not ended:
        return stages
    groups = sorted({end.group for end in ended})
    newest = {group: max(end.happened_at for end in ended if end.group == group) for group in groups}
    lines = [
        _line(texts, "ended" if len(groups) == 1 else "ended_group", group=str(group), age=texts.age(since))
        for group, since in newest.items()
    ]
    return [
        replace(stage, lines=(*stage.lines, *lines)) if stage.key == "source" else stage for stage in stages
    ]


def model_stage(texts: Texts, champion: Version | Unavailable) -> Stage:
    """Returns the champion in the registry."""
    if isinstance(champion, Unavailable):
        return _absent(texts, "model", champion)
    score, low, high = (champion.score(name) for name in ("macro_f1", "macro_f1_low", "macro_f1_high"))
    lines = [_line(texts, "version", version=str(champion.number))]
    if low is not None and high is not None:
        lines.insert(0, _line(texts, "interval", low=texts.number(low, 3), high=texts.number(high, 3)))
    if Tag.SNAPSHOT_ID in champion.tags:
        lines.append(_line(texts, "snapshot", snapshot=champion.tags[Tag.SNAPSHOT_ID]))
    return Stage("model", "ok", texts.number(score, 3), tuple(lines))


def prediction_stage(
    texts: Texts,
    served: AnsweringModel | Unavailable,
    champion: Version | Unavailable,
    progress: Progress | Unavailable,
) -> Stage:
    """Returns the model that serving answers with, and how it does on landings that it has not seen."""
    if isinstance(served, Unavailable):
        return _absent(texts, "prediction", served)
    live = None if isinstance(progress, Unavailable) else live_accuracy(progress.live)
    lines = [_line(texts, "answers", version=served.version)]
    if isinstance(champion, Version) and str(champion.number) != served.version:
        lines.append(_line(texts, "behind", version=str(champion.number)))
    if live is None:
        lines.append(_line(texts, "no_live"))
    elif not isinstance(progress, Unavailable):
        newest = progress.live[-1].version
        rows = sum(score.rows for score in progress.live if score.version == newest)
        lines.append(_line(texts, "live", rows=rows, version=str(newest)))
    return Stage("prediction", "ok", "–" if live is None else texts.percent(live), tuple(lines))


def with_runs(texts: Texts, stages: list[Stage], runs: list[Run] | Unavailable | None) -> list[Stage]:
    """Returns the stages with the last run of what moves each, as far as Airflow tells."""
    if not isinstance(runs, list):
        return stages
    known: Mapping[str, Run] = {run.dag: run for run in runs}
    return [
        replace(stage, run=_last_run(texts, known[MOVED_BY[stage.key]])) if stage.key in MOVED_BY else stage
        for stage in stages
    ]


def run_state(texts: Texts, run: Run) -> str:
    """Returns a run's state in the reader's language; Airflow may add some."""
    state = run.state or "never"
    return texts.get(f"run.{state}", state)


def _last_run(texts: Texts, run: Run) -> LastRun:
    parts = []
    if run.started_at:
        parts.append(texts.age(run.started_at))
    if run.duration_s is not None:
        parts.append(texts.duration(run.duration_s))
    return LastRun(run.dag, run.state or "never", run_state(texts, run), " · ".join(parts))


def _stage(texts: Texts, key: str, number: int, *lines: str) -> Stage:
    return Stage(key, "ok", texts.number(number), lines)


def _absent(texts: Texts, key: str, found: Unavailable) -> Stage:
    state: State = "early" if found.is_early else "unavailable"
    return Stage(key, state, lines=(_line(texts, state),))


def _line(texts: Texts, key: str, **values: object) -> str:
    return texts(f"stage.line.{key}", **values)
