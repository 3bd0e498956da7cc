"""A model's file that names other files reads none of them, wherever the process runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from serving.engine import open_engine
from serving.engine.inference import open_session
from training.fit.artefact import Artefact

SECRET = b"ten bytes!"
OPENED: dict[str, Callable[[bytes], object]] = {
    "serving": open_session,
    "serving, by its door": lambda model: open_engine(model, 7),
    "training": Artefact,
}


def naming(location: str, *, is_constant: bool) -> bytes:
    """A model that answers with what another file holds."""
    tensor = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[len(SECRET)])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(SECRET)))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    answer = helper.make_tensor_value_info("y", TensorProto.UINT8, [len(SECRET)])
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    if not is_constant:
        node = helper.make_node("Identity", ["w"], ["y"])
    graph = helper.make_graph([node], "g", [], [answer], [] if is_constant else [tensor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("opened", OPENED)
@pytest.mark.parametrize("is_constant", [True, False])
@pytest.mark.parametrize("location", ["secrets.json", "below/secrets.json", "../secrets.json", "{absolute}"])
def test_no_other_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, is_constant: bool, opened: str
) -> None:
    """ONNX Runtime looks for them from the folder that the process runs in; `/` makes `..` harmless to it."""
    below = tmp_path / "below"
    below.mkdir()
    for folder in (tmp_path, below):
        (folder / "secrets.json").write_bytes(SECRET)
    model = naming(location.format(absolute=tmp_path / "secrets.json"), is_constant=is_constant)
    from_root = naming(os.path.relpath(tmp_path / "secrets.json", "/"), is_constant=is_constant)
    for folder, content in ((tmp_path, model), (below, model), (Path("/"), from_root)):
        monkeypatch.chdir(folder)
        with pytest.raises(Exception, match=r"[Ee]xternal"):
            OPENED[opened](content)
