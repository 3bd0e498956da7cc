"""A model is tried before it answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.errors import ModelRefused
from serving.model.loaded import load_model
from serving.model.out_of_distribution import OutOfDistribution
from serving.model.version import Version
from tests.serving.onnx_models import CONTRACT, answers, build_model, random_rows

ROW = json.dumps(random_rows(1, seed=1)[0])
VERSION = Version(name="m", number="4", alias="champion", source="s", created_at_ms=1, tags={})


def test_a_good_model_answers_as_its_graph_does(models: dict[str, Path]) -> None:
    rows = random_rows(30, seed=2)
    model = load_model(VERSION, models["plain"].parent, CONTRACT)
    labels, probabilities = model.predict([tuple(row.values()) for row in rows])
    assert labels.tolist() == answers(str(models["plain"]), rows)
    assert probabilities.shape == (30, 7)
    assert (probabilities.argmax(axis=1) == labels).all()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"contract_version": "2.0.0"}, "trained under contract 2.0.0"),
        ({"contract_version": ""}, "trained under contract unknown"),
        ({"golden": "[]"}, "no golden requests"),
        ({"golden": "{"}, "cannot be read"),
        ({"golden": "[" * 200_000}, "cannot be read"),
        ({"golden": f'[{{"row": {ROW}, "cover_type": 1e400}}]'}, "cannot be read"),
        ({"golden": '[{"row": {"elevation_m": 3000}, "cover_type": 1}]'}, "golden requests fail"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, broken: dict[str, str], reason: str
) -> None:
    build_model(tmp_path / "model.onnx", **broken)  # type: ignore[arg-type]
    with pytest.raises(ModelRefused, match=reason):
        load_model(VERSION, tmp_path, CONTRACT)


def test_a_profile_that_nests_without_end_flags_nothing() -> None:
    assert OutOfDistribution.of({"canopy.seen": "[" * 200_000}, CONTRACT) == OutOfDistribution((), ())


def test_a_newer_minor_contract_is_no_reason_to_refuse(tmp_path: Path) -> None:
    build_model(tmp_path / "model.onnx", contract_version="1.9.0")
    assert load_model(VERSION, tmp_path, CONTRACT).contract_version == "1.9.0"


def test_a_folder_without_onnx_is_refused_even_if_it_holds_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(ModelRefused, match=r"no model\.onnx"):
        load_model(VERSION, tmp_path, CONTRACT)
    assert not (tmp_path / "pwned").exists()
