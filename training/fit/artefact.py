"""One ONNX artefact that holds features and forest together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from contracts.covertype import Contract
from contracts.model_artefact import NO_OTHER_FILES, Metadata
from training.fit.candidates.trees import Branches, Ensemble, join
from training.fit.features import IR_VERSION, MATRIX, OPSETS, feature_graph
from training.fit.predictions import Answers
from training.fit.rows import Features

PRODUCER = "canopy"


class Artefact:
    """An ONNX model that has been loaded and answers."""

    def __init__(self, serialized: bytes, *, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry(*NO_OTHER_FILES)
        self.serialized = serialized
        self._session = onnxruntime.InferenceSession(
            serialized, sess_options=options, providers=["CPUExecutionProvider"]
        )

    def answer(self, features: Features) -> Answers:
        """Predicts these rows; each feature is an array of shape (n_rows, 1)."""
        labels, probabilities = self._session.run(["label", "probabilities"], dict(features))
        return Answers(labels, probabilities)

    @property
    def sha256(self) -> str:
        """Returns the digest of the file."""
        return hashlib.sha256(self.serialized).hexdigest()

    @property
    def megabytes(self) -> float:
        """Returns what the file weighs, in 10**6 bytes."""
        return len(self.serialized) / 1e6

    @property
    def metadata(self) -> Mapping[str, str]:
        """Returns what the model's file says of itself."""
        properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return properties

    @property
    def golden(self) -> list[dict[str, Any]]:
        """Returns the requests that whoever loads this model must see answered in the same way."""
        requests: list[dict[str, Any]] = json.loads(self.metadata.get(Metadata.GOLDEN, "[]"))
        return requests


def build_model(ensemble: Ensemble, contract: Contract) -> onnx.ModelProto:
    """Returns the artefact, without metadata.

    The trees are written as one `TreeEnsemble` of ai.onnx.ml 5. skl2onnx writes the older
    `TreeEnsembleClassifier`, which spells each node's kind as a string: 216 MB and 30 s where this takes
    36 MB and under a second (100 trees after 93,000 rows).

    Args:
        ensemble: Grown on the matrix of `compute_features`; its classes are positions in the contract.
        contract: Gives the inputs and the number and order of the classes.
    """
    features = feature_graph(contract)
    n_classes = len(contract.class_names)
    outputs, constants = _OUTPUTS[ensemble.link](ensemble)
    graph = helper.make_graph(
        [*features.node, _trees(join(ensemble.trees), n_classes), *outputs],
        "canopy_covertype",
        features.input,
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", n_classes]),
        ],
        [*features.initializer, *constants],
    )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION, producer_name=PRODUCER)


def describe_model(model: onnx.ModelProto, properties: Mapping[str, str]) -> None:
    """Writes properties into the model's metadata, replacing those of the same name."""
    kept = {item.key: item.value for item in model.metadata_props}
    helper.set_model_props(model, kept | dict(properties))


def choose_golden(
    features: Features, answers: Answers, contract: Contract, *, count: int = 20
) -> list[dict[str, Any]]:
    """Returns rows with the model's own answers, spread evenly over the classes that it predicts.

    Returns: Up to `count` of `{"row": {feature: value}, "cover_type": class}`.
    """
    classes = np.unique(answers.labels)
    turns = np.concatenate([np.arange(np.sum(answers.labels == label)) for label in classes])
    grouped = np.concatenate([np.flatnonzero(answers.labels == label) for label in classes])
    positions = grouped[np.argsort(turns, kind="stable")][:count]
    return [_request(features, answers, contract, int(position)) for position in positions]


def reproduces(artefact: Artefact, requests: Sequence[Mapping[str, Any]], contract: Contract) -> bool:
    """Returns whether the model answers each request as it is recorded; False where there is none."""
    if not requests:
        return False
    features = as_inputs([request["row"] for request in requests], contract)
    expected = [request["cover_type"] for request in requests]
    return bool(np.array_equal(artefact.answer(features).labels, expected))


def as_inputs(rows: Sequence[Mapping[str, int | str]], contract: Contract) -> dict[str, NDArray[np.generic]]:
    """Returns the model's twelve inputs, each of shape (n_rows, 1), from rows as a person writes them."""
    kinds = {"integer": np.dtype(np.int64), "string": np.dtype(str)}
    return {
        column.name: np.array([[row[column.name]] for row in rows], dtype=kinds[column.kind])
        for column in contract.features
    }


def _request(features: Features, answers: Answers, contract: Contract, position: int) -> dict[str, Any]:
    row = {column.name: features[column.name][position, 0] for column in contract.features}
    plain = {name: value if isinstance(value, str) else int(value) for name, value in row.items()}
    return {"row": plain, "cover_type": int(answers.labels[position])}


def _trees(branches: Branches, n_classes: int) -> onnx.NodeProto:
    return helper.make_node(
        "TreeEnsemble",
        [MATRIX],
        ["sums"],
        domain="ai.onnx.ml",
        n_targets=n_classes,
        tree_roots=branches.roots.tolist(),
        nodes_featureids=branches.feature.tolist(),
        nodes_splits=numpy_helper.from_array(branches.split),
        nodes_modes=numpy_helper.from_array(np.zeros(len(branches.split), dtype=np.uint8)),  # BRANCH_LEQ
        nodes_truenodeids=branches.true_node.tolist(),
        nodes_trueleafs=branches.true_is_leaf.tolist(),
        nodes_falsenodeids=branches.false_node.tolist(),
        nodes_falseleafs=branches.false_is_leaf.tolist(),
        leaf_targetids=branches.leaf_class.tolist(),
        leaf_weights=numpy_helper.from_array(branches.leaf_weight),
    )


def _share(ensemble: Ensemble) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    trees = numpy_helper.from_array(np.array([len(ensemble.trees)], dtype=np.float32), "trees")
    nodes = [
        helper.make_node("ArgMax", ["sums"], ["label"], axis=1, keepdims=0),
        helper.make_node("Div", ["sums", trees.name], ["probabilities"]),
    ]
    return nodes, [trees]


def _softmax(ensemble: Ensemble) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    base = numpy_helper.from_array(np.asarray(ensemble.base, dtype=np.float32), "base")
    nodes = [
        helper.make_node("Add", ["sums", base.name], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    return nodes, [base]


_OUTPUTS = {"share": _share, "softmax": _softmax}
