"""What each stage of the way has to say, from gold, the registry and serving."""

from __future__ import annotations

from contracts.prediction import AnsweringModel
from ui.absence import Away
from ui.gold import Progress
from ui.language import Texts
from ui.registry import Version
from ui.way import Stage


def lake_stages(texts: Texts, progress: Progress | Away) -> list[Stage]:
    """From the source to gold."""
    if isinstance(progress, Away):
        return [_absent(texts, key, progress) for key in ("source", "bronze", "silver", "gold")]
    publication, totals = progress.published, progress.totals
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
        Stage(
            "gold",
            "ok",
            str(publication.snapshot_id),
            (
                _line(texts, "published", age=texts.age(publication.published_at)),
                _line(texts, "training", rows=totals.train_rows),
                _line(texts, "test", rows=totals.test_rows),
            ),
        ),
    ]


def model_stage(texts: Texts, champion: Version | Away) -> Stage:
    """The champion in the registry."""
    if isinstance(champion, Away):
        return _absent(texts, "model", champion)
    score, low, high = (champion.score(name) for name in ("macro_f1", "macro_f1_low", "macro_f1_high"))
    lines = [_line(texts, "version", version=str(champion.number))]
    if low is not None and high is not None:
        interval = _line(texts, "interval", low=texts.number(low, 3), high=texts.number(high, 3))
        lines.insert(0, interval)
    if "snapshot_id" in champion.tags:
        lines.append(_line(texts, "snapshot", snapshot=champion.tags["snapshot_id"]))
    return Stage("model", "ok", "–" if score is None else texts.number(score, 3), tuple(lines))


def prediction_stage(texts: Texts, served: AnsweringModel | Away, champion: Version | Away) -> Stage:
    """The model that serving answers with."""
    if isinstance(served, Away):
        return _absent(texts, "prediction", served)
    lines = [_line(texts, "snapshot", snapshot=served.snapshot_id)] if served.snapshot_id else []
    if isinstance(champion, Version) and str(champion.number) != served.version:
        lines.append(_line(texts, "behind", version=str(champion.number)))
    return Stage("prediction", "ok", served.version, tuple(lines))


def _stage(texts: Texts, key: str, number: int, *lines: str) -> Stage:
    return Stage(key, "ok", texts.number(number), lines)


def _absent(texts: Texts, key: str, away: Away) -> Stage:
    if away.is_early:
        return Stage(key, "early", lines=(_line(texts, "early"),))
    return Stage(key, "away", lines=(_line(texts, "away"),))


def _line(texts: Texts, key: str, **values: object) -> str:
    return texts(f"stage.line.{key}", **values)
