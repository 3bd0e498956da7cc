"""A run once more: the same snapshot, the same settings, and whether the same figures come out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.covertype import covertype
from contracts.errors import NotReproduced, RunUnknown
from contracts.model_artefact import Tag
from contracts.version_signature import DIGEST_TAG
from lake.publish.pointer import Publication, published
from lake.settings import LakeSettings
from training.fit.candidates import Choice
from training.fit.challenger import fit
from training.fit.rows import read_training_set
from training.promote.registry import Registry, if_present
from training.report.provenance import code_revision, lock_hash
from training.report.runs import version_tags
from training.settings import TrainingSettings

FIGURES = (
    Tag.TRAIN_DIGEST,
    Tag.TEST_DIGEST,
    Tag.TRAIN_ROWS,
    Tag.TEST_ROWS,
    Tag.MACRO_F1,
    Tag.MACRO_F1_LOW,
    Tag.MACRO_F1_HIGH,
    Tag.ACCURACY,
    Tag.NAIVE_MACRO_F1,
    Tag.ANSWERS_DIGEST,
    DIGEST_TAG,
)
NEEDED = (Tag.SNAPSHOT_ID, Tag.PUBLICATION_ID, Tag.CANDIDATE, Tag.PARAMETERS, DIGEST_TAG)


@dataclass(frozen=True)
class Reproduced:
    """A run that came out as it had before.

    Attributes:
        run_id: The run.
        figures: What was compared, and is equal.
        notes: What differs without having changed a figure: code, lock or contract.
    """

    run_id: str
    figures: Mapping[str, str]
    notes: tuple[str, ...]


def reproduce(
    run_id: str, settings: TrainingSettings | None = None, lake: LakeSettings | None = None
) -> Reproduced:
    """Trains a run again from its snapshot and compares all figures, and the artefact byte for byte.

    Nothing is logged or registered.

    Args:
        run_id: An MLflow run that `train` has made.
        settings: Where MLflow is; from the environment if not given.
        lake: From the environment if not given.

    Raises: RunUnknown; NotReproduced, naming what differs; SnapshotMissing; ServiceUnavailable.
    """
    settings, lake = settings or TrainingSettings(), lake or LakeSettings()
    tags, parameters = _recorded(Registry(settings), run_id)
    choice = Choice(tags[Tag.CANDIDATE], json.loads(tags[Tag.PARAMETERS]))
    again = settings.model_copy(
        update={
            "seed": int(parameters["seed"]),
            "bootstrap_draws": int(parameters["bootstrap_draws"]),
            "leak_meter": parameters["leak_meter"] == "True",
        }
    )
    rows = read_training_set(lake, _publication(lake, run_id, tags))
    training = fit(rows, again, choice=choice)
    found = version_tags(training, tags.get(Tag.REASON, ""))
    notes = _notes(tags, settings)
    differing = [
        f"{name} was {tags.get(name)} and is {found.get(name)}"
        for name in FIGURES
        if tags.get(name) != found.get(name)
    ]
    if differing:
        raise NotReproduced(run_id, [*differing, *notes])
    return Reproduced(run_id, {name: found[name] for name in FIGURES if name in found}, notes)


def _recorded(registry: Registry, run_id: str) -> tuple[dict[str, str], dict[str, str]]:
    run = if_present(registry.client.get_run, run_id)
    if run is None:
        raise RunUnknown(run_id, "MLflow has no such run")
    missing = [name for name in NEEDED if name not in run.data.tags]
    if missing:
        raise RunUnknown(run_id, f"it does not say its {', '.join(missing)}")
    return dict(run.data.tags), dict(run.data.params)


def _publication(lake: LakeSettings, run_id: str, tags: Mapping[str, str]) -> Publication:
    for publication, _ in published(lake):
        if publication.publication_id == int(tags[Tag.PUBLICATION_ID]):
            return publication
    raise RunUnknown(run_id, f"this lake has no publication {tags[Tag.PUBLICATION_ID]}")


def _notes(tags: Mapping[str, str], settings: TrainingSettings) -> tuple[str, ...]:
    now = {
        Tag.CODE_REVISION: code_revision(settings),
        Tag.LOCK_HASH: lock_hash(settings),
        Tag.CONTRACT_VERSION: covertype().version,
    }
    return tuple(
        f"{name} was {tags.get(name)} and is {value}"
        for name, value in now.items()
        if tags.get(name) != value
    )
