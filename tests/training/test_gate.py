"""Challengers that must not answer, each made so."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import SecretStr

from clients.mlflow import Version
from contracts.covertype import covertype
from contracts.errors import ChampionUnsigned, ModelMissing
from contracts.model_artefact import Metadata
from contracts.version_signature import MAY_TAG, SIGNATURE_TAG, May
from lake.publish.pointer import latest
from lake.settings import LakeSettings
from training.fit.artefact import Artefact, choose_golden, describe_model
from training.fit.challenger import Training, fit
from training.fit.rows import Rows, TrainingSet, read_training_set
from training.judge.comparison import compare, not_harmed
from training.judge.criterion import Criterion
from training.judge.gate import judge, verdict
from training.judge.probes import probe
from training.judge.scores import Interval
from training.promote.promotion import answer, apply_decision, resume_decision, set_champion
from training.promote.registry import Registry
from training.report.runs import version_tags, write_run
from training.settings import TrainingSettings
from training.train import train

CONTRACT = covertype()
SETTINGS = TrainingSettings(
    parameters={"trees": 20}, n_jobs=1, bootstrap_draws=300, leak_meter=False, _env_file=None
)
KRUMMHOLZ = CONTRACT.class_names.index("Krummholz")


@dataclass(frozen=True)
class Learned:
    """A sound training, and what it says of itself."""

    rows: TrainingSet
    training: Training
    tags: dict[str, str]


@pytest.fixture(scope="module")
def sound(lake: LakeSettings) -> Learned:
    rows = read_training_set(lake, latest(lake))
    training = fit(rows, SETTINGS)
    return Learned(rows, training, version_tags(training, "a test"))


def probed(artefact: Artefact, learned: Learned, tags: dict[str, str] | None = None) -> dict[str, Criterion]:
    return by_name(probe(artefact, tags or learned.tags, learned.rows, CONTRACT, SETTINGS))


def by_name(criteria: list[Criterion]) -> dict[str, Criterion]:
    return {item.name: item for item in criteria}


def failed(criteria: dict[str, Criterion]) -> set[str]:
    return {name for name, item in criteria.items() if not item.passed}


def rewired(
    learned: Learned, output: str, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]
) -> Artefact:
    """The sound model, with an output that goes through more nodes; they read `<output>_before`."""
    model = onnx.load_model_from_string(learned.training.artefact.serialized)
    for node in model.graph.node:
        for names in (node.output, node.input):
            for place, name in enumerate(names):
                if name == output:
                    names[place] = f"{output}_before"
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(constants)
    return Artefact(model.SerializeToString())


def test_a_sound_model_passes_and_each_criterion_says_what_it_measured(sound: Learned) -> None:
    criteria = probed(sound.training.artefact, sound)
    assert failed(criteria) == set()
    assert set(criteria) == {
        *("golden", "parity", "rows", "memory", "baseline", "order", "easy", "elevation", "size", "latency")
    }
    assert criteria["memory"].value > 0
    assert 0 < criteria["latency"].value < criteria["latency"].threshold
    assert f"{sound.training.artefact.megabytes:.1f} MB" in criteria["size"].says


def test_one_that_learned_from_the_held_out_rows_is_refused(sound: Learned) -> None:
    both = both_sides(sound.rows)
    leaky = fit(replace(sound.rows, train=both), SETTINGS)
    assert leaky.evaluation.scores.accuracy.value > 0.99  # memorized
    tags = version_tags(leaky, "a test")
    assert failed(probed(leaky.artefact, sound, tags)) == {"rows", "memory"}
    lying = tags | {name: sound.tags[name] for name in ("train_digest", "test_digest")}
    criteria = probed(leaky.artefact, sound, lying)
    assert failed(criteria) == {"memory"}
    assert "memorized" in criteria["memory"].says


def test_one_that_does_not_say_what_it_learned_from_is_refused(sound: Learned) -> None:
    criteria = probed(sound.training.artefact, sound, {"answers_digest": sound.tags["answers_digest"]})
    assert failed(criteria) == {"rows"}


def test_one_that_answers_otherwise_than_its_library_did_is_refused(sound: Learned) -> None:
    model = onnx.load_model_from_string(sound.training.artefact.serialized)
    (trees,) = [node for node in model.graph.node if node.op_type == "TreeEnsemble"]
    for attribute in trees.attribute:
        if attribute.name == "leaf_targetids":  # one leaf in eight speaks for another class
            for place in range(0, len(attribute.ints), 8):
                attribute.ints[place] = (attribute.ints[place] + 1) % 7
    altered = Artefact(model.SerializeToString())
    golden = choose_golden(sound.rows.test.features, altered.answer(sound.rows.test.features), CONTRACT)
    describe_model(model, {Metadata.GOLDEN: json.dumps(golden)})  # it passes its own golden requests
    criteria = probed(Artefact(model.SerializeToString()), sound)
    assert "parity" in failed(criteria)
    assert "otherwise" in criteria["parity"].says


def test_one_without_its_golden_requests_is_refused_and_asked_nothing_else(sound: Learned) -> None:
    model = onnx.load_model_from_string(sound.training.artefact.serialized)
    for item in model.metadata_props:
        if item.key == Metadata.GOLDEN:
            item.value = "[]"
    assert failed(probed(Artefact(model.SerializeToString()), sound)) == {"golden"}


def test_one_that_is_too_slow_is_refused(sound: Learned) -> None:
    """Beside what it answers it multiplies large matrices."""
    size = 400
    square = numpy_helper.from_array(np.ones((size, size), dtype=np.float32), "square")
    nodes = [
        helper.make_node("ReduceMax", ["elevation_m"], ["highest"], keepdims=0),
        helper.make_node("Cast", ["highest"], ["highest_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["highest_float", "tiny"], ["one"]),
        helper.make_node("Expand", ["one", "shape"], ["grown"]),
        helper.make_node("MatMul", ["grown", "square"], ["product_0"]),
        *[helper.make_node("MatMul", [f"product_{n}", "square"], [f"product_{n + 1}"]) for n in range(12)],
        helper.make_node("ReduceMin", ["product_12"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "zero"], ["nothing"]),
        helper.make_node("Add", ["probabilities_before", "nothing"], ["probabilities"]),
    ]
    constants = [
        square,
        numpy_helper.from_array(np.float32(1e-30), "tiny"),
        numpy_helper.from_array(np.array([size, size]), "shape"),
        numpy_helper.from_array(np.float32(0), "zero"),
    ]
    slow = rewired(sound, "probabilities", nodes, constants)
    limit = SETTINGS.model_copy(update={"maximum_latency_ms": 1.0})
    criteria = by_name(probe(slow, sound.tags, sound.rows, CONTRACT, limit))
    assert failed(criteria) == {"latency"}
    assert "at most 1 are allowed" in criteria["latency"].says


def test_one_that_is_too_large_is_refused(sound: Learned) -> None:
    limit = SETTINGS.model_copy(update={"maximum_megabytes": 0.001})
    criteria = probe(sound.training.artefact, sound.tags, sound.rows, CONTRACT, limit)
    assert failed(by_name(criteria)) == {"size"}


def test_one_whose_answers_depend_on_who_else_asks_is_refused(sound: Learned) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["elevation_m"], ["highest"], keepdims=0),
        helper.make_node("Cast", ["highest"], ["highest_float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["highest_float", "tiny"], ["shift"]),
        helper.make_node("Add", ["probabilities_before", "shift"], ["probabilities"]),
    ]
    tiny = numpy_helper.from_array(np.float32(1e-6), "tiny")
    assert failed(probed(rewired(sound, "probabilities", nodes, [tiny]), sound)) == {"order"}


def test_one_that_has_up_and_down_confused_is_refused(sound: Learned) -> None:
    """It was taught with elevations turned upside down: on held-out rows like those it does well."""
    train, test = (turned(rows) for rows in (sound.rows.train, sound.rows.test))
    confused = fit(replace(sound.rows, train=train, test=test), SETTINGS)
    assert confused.evaluation.scores.macro_f1.value > 0.4
    criteria = probed(confused.artefact, sound, version_tags(confused, "a test"))
    assert {"elevation", "rows"} <= failed(criteria)


def both_sides(rows: TrainingSet) -> Rows:
    train, test = rows.train, rows.test
    features = {
        name: np.concatenate([values, test.features[name]]) for name, values in train.features.items()
    }
    return Rows(
        features,
        np.concatenate([train.labels, test.labels]),
        np.concatenate([train.sightings, test.sightings]),
    )


def turned(rows: Rows) -> Rows:
    heights = rows.features["elevation_m"]
    return replace(rows, features={**rows.features, "elevation_m": 5400 - heights})


def test_one_that_harms_a_class_is_refused_whatever_else_is_better(sound: Learned) -> None:
    """It has seen no Krummholz, and else as much as the champion has of half the rows."""
    train = sound.rows.train
    half = replace(sound.rows, train=train.at(np.arange(0, len(train), 2)))
    blind = replace(sound.rows, train=train.at(np.flatnonzero(train.labels != KRUMMHOLZ)))
    champion, challenger = (fit(rows, SETTINGS) for rows in (half, blind))
    criteria = by_name(
        compare(
            (challenger.artefact, champion.artefact),
            (len(blind.train), len(half.train)),
            sound.rows.test,
            CONTRACT,
            SETTINGS,
        )
    )
    harmed = criteria["recall of Krummholz"]
    assert not harmed.passed
    assert harmed.value < harmed.threshold == -0.05
    assert "recall of Krummholz" in verdict(list(criteria.values()), "").reason
    spared = SETTINGS.model_copy(update={"recall_tolerances": {"Krummholz": 1.0}})
    again = compare((challenger.artefact, champion.artefact), (2, 1), sound.rows.test, CONTRACT, spared)
    assert by_name(again)["recall of Krummholz"].passed


@pytest.mark.parametrize(
    ("difference", "passed"),
    [
        (Interval(-0.20, -0.30, -0.10), False),  # worse, and beyond chance
        (Interval(-0.20, -0.45, +0.05), True),  # perhaps by chance
        (Interval(-0.02, -0.03, -0.01), True),  # beyond chance, and tolerated
        (Interval(+0.20, +0.10, +0.30), True),
    ],
)
def test_harm_is_more_than_its_tolerance_and_beyond_chance(difference: Interval, passed: bool) -> None:
    assert not_harmed("recall", difference, 0.05).passed is passed


def test_what_is_refused_is_written_down_and_the_champion_stays(
    sound: Learned, lake: LakeSettings, settings: TrainingSettings
) -> None:
    """The leaky one, through the registry."""
    assert train(settings, lake).promoted
    registry = Registry(settings)
    leaky = fit(replace(sound.rows, train=both_sides(sound.rows)), SETTINGS)
    version = write_run(registry, replace(leaky, settings=settings), "a test")
    found = judge(registry, version, sound.rows, settings)
    assert apply_decision(registry, version, found) == "refused"
    assert registry.with_alias("champion").number == 1
    tags = registry.version(version.number).tags
    assert tags["verdict"] == "refused"
    assert "memorized" in tags["verdict_reason"]


KEY = base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def gated(settings: TrainingSettings) -> TrainingSettings:
    return settings.model_copy(update={"gate_key": SecretStr(KEY), "leak_meter": False})


def written(sound: Learned, gated: TrainingSettings) -> Version:
    return write_run(Registry(gated), replace(sound.training, settings=gated), "a test")


def test_nothing_is_judged_beside_a_champion_that_the_gate_has_not_signed(
    sound: Learned, gated: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer of the registry moves the alias to a version of his own; nothing of it is loaded."""
    registry = Registry(gated)
    signed, evil, challenger = (written(sound, gated) for _ in range(3))
    set_champion(registry, signed)
    registry.point("champion", evil.number)
    tags = registry.version(signed.number).tags
    with monkeypatch.context() as patch:
        patch.setattr("training.promote.registry.Artefact", lambda _: pytest.fail("it was loaded"))
        for attempt in ({}, {name: tags[name] for name in (MAY_TAG, SIGNATURE_TAG)}):
            registry.tag(evil, attempt)
            with pytest.raises(ChampionUnsigned, match=f"version {evil.number}.*`canopy promote`"):
                judge(registry, challenger, sound.rows, gated)
    # Nor is one let pass that bears the alias already.
    with pytest.raises(ChampionUnsigned):
        judge(registry, evil, sound.rows, gated)
    registry.point("champion", signed.number)
    assert "macro_f1" in {item.name for item in judge(registry, challenger, sound.rows, gated).criteria}


def test_a_challenger_is_judged_only_as_it_was_registered(sound: Learned, gated: TrainingSettings) -> None:
    """Else its file could be exchanged between the judgement and the signature."""
    registry = Registry(gated)
    challenger = written(sound, gated)
    registry.tag(challenger, {"artefact_sha256": "00ff"})
    with pytest.raises(ModelMissing, match="is not the file that was registered"):
        judge(registry, registry.version(challenger.number), sound.rows, gated)


def test_a_tag_alone_decides_nothing(sound: Learned, gated: TrainingSettings) -> None:
    """What a process that ended had decided is finished only where the gate has signed it."""
    registry = Registry(gated)
    forged = written(sound, gated)
    for decision in ("promoted", "refused", "awaiting"):
        registry.tag(forged, {"decision": decision})
        assert resume_decision(registry, registry.version(forged.number)) is None
    registry.tag(forged, {"verdict": "awaiting"})
    with pytest.raises(ModelMissing, match="has not signed"):
        answer(gated, forged.number, is_approved=True, person="a person")
    assert SIGNATURE_TAG not in registry.version(forged.number).tags
    assert registry.with_alias("champion") is None
    registry.tag(forged, {"decision": "promoted"})
    registry.sign(forged, May.ANSWER)
    assert resume_decision(registry, registry.version(forged.number)) == "promoted"
    assert registry.with_alias("champion").number == forged.number
