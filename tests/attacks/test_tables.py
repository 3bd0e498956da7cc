"""What answers is made of the bytes that the gate has signed, whatever lies beside them."""

from __future__ import annotations

import base64
import hashlib
import secrets
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.covertype import covertype
from contracts.model_artefact import MODEL_FILE
from contracts.version_signature import (
    DIGEST_TAG,
    MAY_TAG,
    SIGNATURE_TAG,
    May,
    public_key_of,
    sign,
    statement,
)
from serving.engine.forest import Forest
from serving.engine.inference import open_session
from serving.engine.tables import AHEAD, COLUMN_BITS, NEAR_BITS, Tables, make_tables
from serving.http.metrics import Metrics
from serving.model.alias_follower import AliasFollower
from serving.model.cache import ModelCache, _seal
from serving.model.loaded import Model
from serving.model.version import Version
from tests.attacks.served import NOBODY
from tests.serving.product_models import survey_rows, write_model
from tests.serving.services import settings_in
from training.fit.rows import Rows

NAME, CLASSES = "tables", 7
KEY = base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture(scope="module")
def rows() -> Rows:
    return survey_rows(1_000)


@pytest.fixture(scope="module")
def mine(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_model(rows, tmp_path_factory.mktemp("mine")).read_bytes()


@pytest.fixture(scope="module")
def other(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A forest that never answers as the signed one."""
    return write_model(rows, tmp_path_factory.mktemp("other"), shift=1).read_bytes()


@pytest.fixture(scope="module")
def tables(mine: bytes) -> Tables:
    return unpacked(mine)


@pytest.fixture(scope="module")
def forged(other: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its tables, as services once kept them beside a model."""
    folder, tables = tmp_path_factory.mktemp("forged"), unpacked(other)
    (folder / "features.onnx").write_bytes(tables.features)
    np.save(folder / "nodes.npy", tables.nodes)
    np.save(folder / "roots.npy", tables.roots)
    return folder


def unpacked(model: bytes) -> Tables:
    made = make_tables(model)
    assert made is not None
    return made


def signed(content: bytes) -> Version:
    digest = hashlib.sha256(content).hexdigest()
    signature = sign(KEY, statement(NAME, "1", digest, "7", May.ANSWER))
    tags = {"snapshot_id": "7", DIGEST_TAG: digest, MAY_TAG: May.ANSWER.value, SIGNATURE_TAG: signature}
    return Version(name=NAME, number="1", alias="champion", source="s", created_at_ms=1, tags=tags)


def kept(folder: Path, content: bytes, beside: Path | None = None) -> Path:
    """Puts a signed version into a cache as the one that answered last; returns its folder."""

    def download(_: Version, partial: Path) -> Path:
        (partial / MODEL_FILE).write_bytes(content)
        if beside is not None:
            shutil.copytree(beside, partial / "forest")
        return partial

    cache, version = ModelCache(folder / "cache", NAME, "champion"), signed(content)
    found = cache.fetch(version, download)
    cache.remember(version)
    return found


def started(folder: Path) -> AliasFollower:
    """What follows the champion, after its start from the cache."""
    settings = settings_in(folder, model_name=NAME, gate_key=public_key_of(KEY), mlflow_url=NOBODY)
    champion = AliasFollower(settings, covertype(), Metrics())
    champion._start_from_cache()
    return champion


def agrees(model: Model | None, content: bytes, rows: Rows) -> bool:
    """Whether a model answers every row as ONNX Runtime answers it."""
    assert model is not None
    labels = open_session(content).run(["label"], dict(rows.features))[0]
    columns = {name: values[:, 0] for name, values in rows.features.items()}
    return bool(np.array_equal(model.predict_columns(columns)[0], labels))


@pytest.mark.parametrize("names", [["nodes.npy"], ["roots.npy"], ["nodes.npy", "roots.npy", "features.onnx"]])
def test_tables_that_were_put_into_the_cache_answer_nothing(
    tmp_path: Path, rows: Rows, mine: bytes, other: bytes, forged: Path, names: list[str]
) -> None:
    """Whoever may write there seals what he has written as well."""
    folder = kept(tmp_path, mine)
    (folder / "forest").mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(forged / name, folder / "forest" / name)
    _seal(folder)
    champion = started(tmp_path)
    assert agrees(champion.model, mine, rows)
    assert not agrees(champion.model, other, rows)


def test_tables_that_come_with_a_signed_version_answer_nothing(
    tmp_path: Path, rows: Rows, mine: bytes, forged: Path
) -> None:
    """Whoever may write to the registry can put files beside the one that was signed."""
    kept(tmp_path, mine, beside=forged)
    assert agrees(started(tmp_path).model, mine, rows)


def test_another_model_in_the_cache_is_refused_and_the_reason_is_said(
    tmp_path: Path, mine: bytes, other: bytes
) -> None:
    reasons = ("has the sha256", "the gate has not signed it")
    digests = [signed(content).tags[DIGEST_TAG] for content in (mine, other)]
    for reason in reasons:
        folder = kept(tmp_path, mine)
        (folder / MODEL_FILE).write_bytes(other)
        _seal(folder)
        if reason == reasons[1]:  # he may write the note as well, and the digest with it
            note = tmp_path / "cache" / NAME / "champion.json"
            note.write_text(note.read_text().replace(*digests))
        champion = started(tmp_path)
        assert champion.model is None
        assert reason in str(champion.problem)


def word(*, column: int = 0, near: int = 0, far: int = 0) -> int:
    return column | near << COLUMN_BITS | far << COLUMN_BITS + NEAR_BITS


def changed(tables: Tables, place: int, word: int) -> Tables:
    nodes = tables.nodes.copy()
    nodes[place] = word
    return replace(tables, nodes=nodes)


WRONG: dict[str, tuple[Callable[[Tables], Tables], str]] = {
    "the last leads on": (lambda tables: changed(tables, -1, word(near=AHEAD)), "after a node comes"),
    "far outside": (lambda tables: changed(tables, 1, 0xFFFFFFFF), "after a node comes 2097145"),
    "a root behind the end": (
        lambda tables: replace(tables, roots=tables.roots + len(tables.nodes)),
        "its roots are",
    ),
    "a root before the start": (
        lambda tables: replace(tables, roots=np.append(tables.roots, -1)),
        "its roots are -1",
    ),
    "no roots": (lambda tables: replace(tables, roots=tables.roots[:0]), "no table of places"),
    "half a node": (lambda tables: replace(tables, nodes=tables.nodes[:-1]), "two words"),
    "other numbers": (lambda tables: replace(tables, nodes=tables.nodes.astype(np.int64)), "two words"),
}


@pytest.mark.parametrize("name", WRONG)
def test_tables_that_a_walk_would_leave_are_refused(tables: Tables, name: str) -> None:
    change, reason = WRONG[name]
    with pytest.raises(ValueError, match=reason):
        Forest(change(tables), CLASSES)


def test_a_vote_for_a_class_that_is_not_there_is_refused(tables: Tables) -> None:
    Forest(tables, CLASSES)
    with pytest.raises(ValueError, match="votes for another class than 0 to 5"):
        Forest(tables, CLASSES - 1)


def test_a_column_that_is_not_there_is_refused(tables: Tables, rows: Rows) -> None:
    forest = Forest(changed(tables, 1, word(column=255)), CLASSES)
    with pytest.raises(ValueError, match="looks at column 255 of 128"):
        forest.answer(rows.features)
