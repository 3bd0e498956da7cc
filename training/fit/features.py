"""The feature graph: the survey's twelve columns and what is derived from them, as one float32 matrix.

The columns are defined here and nowhere else. Training computes its matrix by running this graph, and
the artefact contains the same graph, so what the forest learned from is what it is asked with.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from contracts.covertype import Column, Contract, covertype
from training.fit.rows import Features

# The newest that every onnxruntime >= 1.20 reads; ai.onnx.ml 5 brings TreeEnsemble.
OPSETS = (helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5))
IR_VERSION = 10
MATRIX = "features"

_ELEVATION = "elevation_m"
_ACROSS = "horizontal_distance_to_hydrology_m"
_ABOVE = "vertical_distance_to_hydrology_m"
_ROADS = "horizontal_distance_to_roadways_m"
_FIRE = "horizontal_distance_to_fire_points_m"

# Weighted sums of integer columns. All terms stay far below 2**24, so float32 holds them exactly.
SUMS: dict[str, dict[str, int]] = {
    "elevation_of_hydrology_m": {_ELEVATION: 1, _ABOVE: -1},
    "hydrology_plus_roadways_m": {_ACROSS: 1, _ROADS: 1},
    "hydrology_minus_roadways_m": {_ACROSS: 1, _ROADS: -1},
    "hydrology_plus_fire_points_m": {_ACROSS: 1, _FIRE: 1},
    "hydrology_minus_fire_points_m": {_ACROSS: 1, _FIRE: -1},
    "roadways_plus_fire_points_m": {_ROADS: 1, _FIRE: 1},
    "roadways_minus_fire_points_m": {_ROADS: 1, _FIRE: -1},
    "all_distances_m": {_ACROSS: 1, _ROADS: 1, _FIRE: 1},
    "all_but_fire_points_m": {_ACROSS: 1, _ROADS: 1, _FIRE: -1},
    "all_but_roadways_m": {_ACROSS: 1, _ROADS: -1, _FIRE: 1},
    "all_but_hydrology_m": {_ACROSS: -1, _ROADS: 1, _FIRE: 1},
}
STRAIGHT = "straight_distance_to_hydrology_m"
# Heights differ less than distances do: twice, they weigh about as much.
SPACE = {_ELEVATION: 2, _ACROSS: 1, _ABOVE: 2, _ROADS: 1, _FIRE: 1}
DIRECTIONS, FINENESS = 40, 16


@lru_cache(maxsize=1)
def linear() -> dict[str, dict[str, int]]:
    """Returns every column that is a weighted sum of integer columns, by name.

    A tree cuts along one column at a time. Beside the sums that have a meaning it is given directions
    in the space of height and distances, spread evenly over the sphere and rounded to whole weights:
    with them it can cut obliquely, at no cost when a row is answered (docs/decisions/0010-the-model.md).

    Source: Breiman, Random forests, Machine Learning 45 (2001), section 5 (linear combinations of
    inputs); Halton, On the efficiency of certain quasi-random sequences of points, Numer. Math. 2 (1960).
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = ndtri(qmc.Halton(len(SPACE), scramble=False).random(DIRECTIONS + 1)[1:])
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    weights = np.rint(units * FINENESS).astype(int) * np.array(list(SPACE.values()))
    names = [f"direction_{number:02d}" for number in range(1, DIRECTIONS + 1)]
    return SUMS | {
        name: dict(zip(SPACE, row, strict=True)) for name, row in zip(names, weights.tolist(), strict=True)
    }


def feature_names(contract: Contract) -> tuple[str, ...]:
    """Returns the matrix's columns, in order."""
    integers, categories = _by_kind(contract)
    return (*_names(integers), *linear(), STRAIGHT, *_names(categories))


def feature_graph(contract: Contract) -> onnx.GraphProto:
    """Returns the graph from the twelve inputs, each of shape (n, 1), to the matrix, float32, (n,
    n_features).

    A category becomes its position among the contract's sorted values. Soils are sorted by survey code,
    whose first digits are the climatic and geologic zone: neighbours are alike, and a forest may cut
    between them. One-hot columns gave a lower macro-F1 (0.913 against 0.920, 60 trees) and larger trees.
    A value that the contract does not have becomes -1.
    """
    integers, categories = _by_kind(contract)
    weights = _linear_weights(integers)
    columns = ["measured", "linear", STRAIGHT, *(f"{item.name}_position" for item in categories)]
    return helper.make_graph(
        [
            helper.make_node("Concat", list(_names(integers)), ["whole_numbers"], axis=1),
            helper.make_node("Cast", ["whole_numbers"], ["measured"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["measured", weights.name], ["linear"]),
            *_straight(),
            *(_position(item) for item in categories),
            helper.make_node("Concat", columns, [MATRIX], axis=1),
        ],
        "canopy_features",
        [_input(column) for column in contract.features],
        [helper.make_tensor_value_info(MATRIX, TensorProto.FLOAT, ["n", len(feature_names(contract))])],
        [weights],
    )


def compute_features(features: Features) -> NDArray[np.float32]:
    """Returns the matrix of these rows, shape (n_rows, n_features), computed by the graph itself."""
    (matrix,) = _session().run([MATRIX], dict(features))
    return np.ascontiguousarray(matrix, dtype=np.float32)


@lru_cache(maxsize=1)
def _session() -> onnxruntime.InferenceSession:
    model = helper.make_model(feature_graph(covertype()), opset_imports=OPSETS, ir_version=IR_VERSION)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _linear_weights(integers: tuple[Column, ...]) -> onnx.TensorProto:
    weights = [[terms.get(name, 0) for terms in linear().values()] for name in _names(integers)]
    return numpy_helper.from_array(np.array(weights, dtype=np.float32), "linear_weights")


def _straight() -> list[onnx.NodeProto]:
    # Squares and their sum are taken in int64, so the only rounding is the root's own.
    return [
        helper.make_node("Mul", [_ACROSS, _ACROSS], ["across_squared"]),
        helper.make_node("Mul", [_ABOVE, _ABOVE], ["above_squared"]),
        helper.make_node("Add", ["across_squared", "above_squared"], ["straight_squared"]),
        helper.make_node("Cast", ["straight_squared"], ["straight_squared_float"], to=TensorProto.FLOAT),
        helper.make_node("Sqrt", ["straight_squared_float"], [STRAIGHT]),
    ]


def _position(column: Column) -> onnx.NodeProto:
    values = sorted(column.values)
    return helper.make_node(
        "LabelEncoder",
        [column.name],
        [f"{column.name}_position"],
        domain="ai.onnx.ml",
        keys_strings=values,
        values_floats=[float(position) for position in range(len(values))],
        default_float=-1.0,
    )


def _input(column: Column) -> onnx.ValueInfoProto:
    kind = TensorProto.INT64 if column.kind == "integer" else TensorProto.STRING
    return helper.make_tensor_value_info(column.name, kind, ["n", 1])


def _by_kind(contract: Contract) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    integers = tuple(column for column in contract.features if column.kind == "integer")
    return integers, tuple(column for column in contract.features if column.kind == "string")


def _names(columns: tuple[Column, ...]) -> tuple[str, ...]:
    return tuple(column.name for column in columns)
