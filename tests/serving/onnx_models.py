"""Small real forests as ONNX, in the form in which training registers a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from contracts.covertype import Column, covertype

CONTRACT = covertype()
OPSET = 18
IR_VERSION = 9
GOLDEN_ROWS = 20
TRAINING_ROWS = 300


def random_rows(count: int, seed: int = 0) -> list[dict[str, int | str]]:
    """Rows inside the contract, drawn evenly."""
    generator = np.random.default_rng(seed)
    columns = {column.name: _draw(column, count, generator) for column in CONTRACT.features}
    return [{name: values[i] for name, values in columns.items()} for i in range(count)]


def build_model(
    path: Path,
    *,
    shift: int = 0,
    contract_version: str = CONTRACT.version,
    golden_wrong: bool = False,
    golden: str | None = None,
    without_input: str | None = None,
) -> Path:
    """A forest that was taught `(elevation band + shift) % 7`, with all twelve inputs.

    Args:
        path: File to write.
        shift: Makes the answers of two models differ on every row.
        golden_wrong: The golden requests expect something else than it answers.
        golden: Text to write as golden requests instead of real ones.
        without_input: A feature that the graph forgets.
    """
    features = [column for column in CONTRACT.features if column.name != without_input]
    model = onnx.compose.merge_models(_inputs(features), _forest(features, shift), [("features", "X")])
    model.graph.name = "forest"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = random_rows(GOLDEN_ROWS, seed=99)
    labels = [] if without_input else answers(model.SerializeToString(), rows)
    expected = [(label + golden_wrong) % 7 for label in labels]
    real = [{"row": row, "cover_type": label} for row, label in zip(rows, expected, strict=False)]
    helper.set_model_props(
        model,
        {
            "canopy.contract_version": contract_version,
            "canopy.snapshot_id": "7",
            "canopy.golden": json.dumps(real) if golden is None else golden,
        },
    )
    onnx.save_model(model, str(path))
    return path


def answers(model: bytes | str, rows: list[dict[str, int | str]]) -> list[int]:
    """What a model answers, asked without the service."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = {
        column.name: np.array([[row[column.name]] for row in rows], dtype=_dtype(column))
        for column in CONTRACT.features
    }
    labels: list[int] = session.run(["label"], inputs)[0].tolist()
    return labels


def _forest(features: list[Column], shift: int) -> onnx.ModelProto:
    rows = random_rows(TRAINING_ROWS)
    matrix = np.array([[_number(column, row[column.name]) for column in features] for row in rows])
    labels = (np.argsort(np.argsort(matrix[:, 0])) * 7 // len(rows) + shift) % 7
    forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(matrix.astype("float32"), labels)
    model = to_onnx(
        forest,
        matrix[:1].astype("float32"),
        options={"zipmap": False},
        target_opset={"": OPSET, "ai.onnx.ml": 3},
    )
    return _renamed(model)


def _renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    found = [output.name for output in model.graph.output]
    names = dict(zip(found, ["label", "probabilities"], strict=True))
    for node in model.graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
    for output in model.graph.output:
        output.name = names[output.name]
    del model.opset_import[:]
    model.opset_import.extend(_opsets())
    model.ir_version = IR_VERSION
    return model


def _opsets() -> list[onnx.OperatorSetIdProto]:
    return [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]


def _inputs(features: list[Column]) -> onnx.ModelProto:
    nodes = [_encoder(column) for column in features]
    nodes.append(helper.make_node("Concat", [f"{c.name}_number" for c in features], ["features"], axis=1))
    graph = helper.make_graph(
        nodes,
        "inputs",
        [helper.make_tensor_value_info(c.name, _onnx_type(c), [None, 1]) for c in features],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(features)])],
    )
    return helper.make_model(graph, opset_imports=_opsets(), ir_version=IR_VERSION)


def _encoder(column: Column) -> onnx.NodeProto:
    output = [f"{column.name}_number"]
    if column.kind == "integer":
        return helper.make_node("Cast", [column.name], output, to=TensorProto.FLOAT)
    return helper.make_node(
        "LabelEncoder",
        [column.name],
        output,
        domain="ai.onnx.ml",
        keys_strings=list(column.values),
        values_floats=[float(i) for i in range(len(column.values))],
        default_float=-1.0,
    )


def _draw(column: Column, count: int, generator: np.random.Generator) -> list[int | str]:
    if column.choices:
        drawn: list[int | str] = generator.choice(column.values, count).tolist()
        return drawn
    assert column.minimum is not None
    assert column.maximum is not None
    numbers: list[int | str] = generator.integers(column.minimum, column.maximum + 1, count).tolist()
    return numbers


def _number(column: Column, value: int | str) -> float:
    return float(value) if column.kind == "integer" else float(column.values.index(str(value)))


def _onnx_type(column: Column) -> int:
    return int(TensorProto.INT64 if column.kind == "integer" else TensorProto.STRING)


def _dtype(column: Column) -> type:
    return np.int64 if column.kind == "integer" else object
