"""One ONNX artefact that holds features and forest together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from contracts.covertype import Contract
from training.features import IR_VERSION, MATRIX, OPSETS, feature_graph
from training.forest import Branches, read_branches
from training.rows import Features

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

PRODUCER = "canopy"
CONTRACT_VERSION = "canopy.contract_version"
SNAPSHOT_ID = "canopy.snapshot_id"
GOLDEN = "canopy.golden"


@dataclass(frozen=True)
class Answers:
    """What a model says of some rows.

    Attributes:
        labels: Predicted classes as positions in the contract's list, shape (n_rows,).
        probabilities: Shares of the trees' votes, shape (n_rows, n_classes).
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]


class Artefact:
    """An ONNX model that has been loaded and answers."""

    def __init__(self, serialized: bytes, *, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.serialized = serialized
        self._session = onnxruntime.InferenceSession(
            serialized, sess_options=options, providers=["CPUExecutionProvider"]
        )

    def answer(self, features: Features) -> Answers:
        """Predicts these rows; each feature is an array of shape (n_rows, 1)."""
        labels, probabilities = self._session.run(["label", "probabilities"], dict(features))
        return Answers(labels, probabilities)

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the model's file says of itself."""
        properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return properties

    @property
    def golden(self) -> list[dict[str, Any]]:
        """The requests that whoever loads this model must see answered in the same way."""
        requests: list[dict[str, Any]] = json.loads(self.metadata.get(GOLDEN, "[]"))
        return requests


def build_model(forest: ExtraTreesClassifier, contract: Contract) -> onnx.ModelProto:
    """The artefact, without metadata.

    The trees are written as one `TreeEnsemble` of ai.onnx.ml 5. skl2onnx writes the older
    `TreeEnsembleClassifier`, which spells each node's kind as a string: 216 MB and 30 s where this takes
    36 MB and under a second (100 trees after 93,000 rows).

    Args:
        forest: Fitted on the matrix of `compute_features`; its labels are positions of classes.
        contract: Gives the inputs and the number and order of the classes.
    """
    features = feature_graph(contract)
    n_classes = len(contract.class_names)
    trees = np.array([len(forest.estimators_)], dtype=np.float32)
    graph = helper.make_graph(
        [*features.node, _ensemble(read_branches(forest), n_classes), *_outputs()],
        "canopy_covertype",
        features.input,
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", n_classes]),
        ],
        [*features.initializer, numpy_helper.from_array(trees, "trees")],
    )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION, producer_name=PRODUCER)


def describe_model(model: onnx.ModelProto, properties: Mapping[str, str]) -> None:
    """Writes properties into the model's metadata, replacing those of the same name."""
    kept = {item.key: item.value for item in model.metadata_props}
    helper.set_model_props(model, kept | dict(properties))


def choose_golden(
    features: Features, answers: Answers, contract: Contract, *, count: int = 20
) -> list[dict[str, Any]]:
    """Rows with the model's own answers, spread evenly over the classes that it predicts.

    Returns: Up to `count` of `{"row": {feature: value}, "cover_type": class}`.
    """
    classes = np.unique(answers.labels)
    turns = np.concatenate([np.arange(np.sum(answers.labels == label)) for label in classes])
    grouped = np.concatenate([np.flatnonzero(answers.labels == label) for label in classes])
    positions = grouped[np.argsort(turns, kind="stable")][:count]
    return [_request(features, answers, contract, int(position)) for position in positions]


def reproduces(artefact: Artefact, requests: Sequence[Mapping[str, Any]], contract: Contract) -> bool:
    """Whether the model answers each request as it is recorded; False where there is none."""
    if not requests:
        return False
    features = as_inputs([request["row"] for request in requests], contract)
    expected = [request["cover_type"] for request in requests]
    return bool(np.array_equal(artefact.answer(features).labels, expected))


def as_inputs(rows: Sequence[Mapping[str, int | str]], contract: Contract) -> dict[str, NDArray[np.generic]]:
    """The model's twelve inputs, each of shape (n_rows, 1), from rows as a person writes them."""
    kinds = {"integer": np.dtype(np.int64), "string": np.dtype(str)}
    return {
        column.name: np.array([[row[column.name]] for row in rows], dtype=kinds[column.kind])
        for column in contract.features
    }


def _request(features: Features, answers: Answers, contract: Contract, position: int) -> dict[str, Any]:
    row = {column.name: features[column.name][position, 0] for column in contract.features}
    plain = {name: value if isinstance(value, str) else int(value) for name, value in row.items()}
    return {"row": plain, "cover_type": int(answers.labels[position])}


def _ensemble(branches: Branches, n_classes: int) -> onnx.NodeProto:
    return helper.make_node(
        "TreeEnsemble",
        [MATRIX],
        ["votes"],
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
        leaf_weights=numpy_helper.from_array(np.ones(len(branches.leaf_class), dtype=np.float32)),
    )


def _outputs() -> list[onnx.NodeProto]:
    return [
        helper.make_node("ArgMax", ["votes"], ["label"], axis=1, keepdims=0),
        helper.make_node("Div", ["votes", "trees"], ["probabilities"]),
    ]
