"""Test, then train: each landing is put to the champion before anything is learned from it.

What the champion says is written into bronze, one object a landing, with the version that said it. dbt
joins it with the labels once the landing is in silver: that is the live accuracy. Only landings that no
publication has are asked about, and of their rows only those count that were in none, so no version can
have learned from them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from clients.mlflow import MlflowApi, Version
from contracts.covertype import covertype
from contracts.errors import (
    CanopyError,
    ObjectMissing,
    ObjectUnreadable,
    RowsDamaged,
)
from contracts.landing_id import name_in
from contracts.model_artefact import Tag
from contracts.plain_files import absolute, read_plain
from contracts.put_away import put_away
from contracts.version_signature import DIGEST_TAG
from lake.objects import open_objects
from lake.publish.pointer import Publication, latest
from lake.settings import LakeSettings
from training.fit.artefact import Artefact
from training.fit.rows import as_features
from training.judge.prequential_predictions import Answerer, keep_answers, question, unanswered
from training.promote.registry import Registry
from training.promote.signature import require_signed
from training.settings import TrainingSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What came of one round.

    Attributes:
        landings: Those that the champion has been asked about.
        rows: Rows in them that it could answer.
        version: Who answered; None if nobody did.
        problem: Why nobody did, or None.
    """

    landings: tuple[str, ...]
    rows: int
    version: int | None
    problem: str | None = None


def ask_champion(settings: TrainingSettings | None = None, lake: LakeSettings | None = None) -> Asked:
    """Puts every landing to the champion that no publication has and that was put to none.

    Whatever is unavailable, nothing fails: a landing that nobody was asked about has no live score.

    Args:
        settings: From the environment if not given.
        lake: From the environment if not given.
    """
    settings, lake = settings or TrainingSettings(), lake or LakeSettings()
    try:
        publication = latest(lake)
        waiting = unanswered(lake, publication) if publication else []
        if publication is None or not waiting:
            return Asked((), 0, None)
        version = _champion(settings)
        if version is None:
            return Asked((), 0, None, "there is no champion yet")
        artefact = _artefact(settings, version)
        answerer = Answerer(settings.model_name, version.number, int(version.tags[Tag.SNAPSHOT_ID]))
        rows = sum(_asked_of(lake, publication, key, artefact, answerer) for key in waiting)
    except CanopyError as error:
        logger.warning("not_asked reason=%s", error)
        return Asked((), 0, None, str(error))
    except Exception as error:  # no score is worth a landing that is not refined; the log has the trace
        logger.exception("not_asked")
        return Asked((), 0, None, f"{type(error).__name__}: {error}")
    logger.info("asked version=%d landings=%d rows=%d", version.number, len(waiting), rows)
    return Asked(tuple(map(name_in, waiting)), rows, version.number)


def _asked_of(
    lake: LakeSettings, publication: Publication, key: str, artefact: Artefact, answerer: Answerer
) -> int:
    """Asks about one landing; one that cannot be read keeps no other from being asked about."""
    contract = covertype()
    try:
        asked = question(lake, publication, key)
        values = {column.name: asked.rows[column.name].to_numpy() for column in contract.features}
        answers = artefact.answer(as_features(values, contract))
        sure = answers.probabilities.max(axis=1, initial=0.0)
        keep_answers(open_objects(lake), asked, answerer, answers.labels, sure)
        return int(asked.rows.num_rows)
    except (RowsDamaged, ObjectMissing, ObjectUnreadable) as error:
        logger.warning("not_asked key=%s reason=%s", key, error)
        return 0


def _champion(settings: TrainingSettings) -> Version | None:
    """Returns who answers now. Raises: ServiceUnavailable."""
    return MlflowApi(settings.mlflow_url, settings.model_name, account=settings.mlflow_account).with_alias()


def _artefact(settings: TrainingSettings, version: Version) -> Artefact:
    """Returns the version's artefact, downloaded once, if the gate has signed that it may answer.

    Raises: ModelMissing if it has not, or if it is another file.
    """
    folder = absolute(Path(settings.cache))
    file, wanted = folder / f"{settings.model_name}-{version.number}.onnx", version.tags.get(DIGEST_TAG, "")
    if (content := _kept(file, wanted)) is not None:
        require_signed(settings, version, content)
        return Artefact(content)
    content = Registry(settings).download(version)
    require_signed(settings, version, content)  # before anything else is done with it
    artefact = Artefact(content)
    folder.mkdir(parents=True, exist_ok=True)
    for older in folder.glob(f"{settings.model_name}-*.onnx"):
        if older.is_file():
            older.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".", dir=folder, delete=False) as partial:
        partial.write(content)
    Path(partial.name).replace(file)
    return artefact


def _kept(file: Path, wanted: str) -> bytes | None:
    """Returns what was downloaded; None where there is nothing, or something else, which is put away."""
    try:
        content = read_plain(file)
        found = hashlib.sha256(content).hexdigest()
        if found == wanted:
            return content
        reason = f"its sha256 is {found}, and the version's is {wanted}"
    except OSError as error:
        reason = str(error)
    if os.path.lexists(file):
        put_away(file, reason)
    return None
