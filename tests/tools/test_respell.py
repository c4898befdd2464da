"""A released size whose graph is written anew: the same pictures, other times."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from anime_model.compression.export import export_onnx
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.onnx_spelling import spell_for_converters
from anime_model.runtime.models import card as read_card
from anime_model.runtime.onnx_layers import read_graph
from tests.exports import graphs_are_traced_once
from tests.tools.test_ship import faster, workspace
from tools import respell, ship

__all__ = ["faster", "graphs_are_traced_once", "workspace"]
TIMED = {"latency_size": 32, "latency_threads": 1, "latency_repeats": 3}


@pytest.fixture
def released(faster: Path) -> Path:
    """A style with a `nano` in the spelling of long ago; the folder of its run."""
    ship.main(["size", "ink", "nano", "small/artifacts"])
    file = ship.WEIGHTS / "ink-nano.onnx"
    model = onnx.load(file)
    spell_for_converters(model)
    onnx.save(model, file)
    rows = json.loads(ship.RESULTS.read_text())
    nano = next(row for row in rows if row["variant"] == "nano")
    nano |= TIMED | {"fid": 1.25, "latency_p50_ms": 20.0}
    teacher = {**nano, "variant": "teacher", "fid": 1.4}
    ship.RESULTS.write_text(json.dumps([teacher, *rows]))
    exports = faster / "ink/exports"
    export_onnx(load_generator(faster / "ink/teacher/teacher.safetensors"), exports / "teacher.onnx")
    (faster / "ink/reference").mkdir()
    (faster / "ink/reference/reference.json").write_text("{}")
    return faster


def test_it_draws_the_same_and_is_timed_anew(released: Path):
    file = ship.WEIGHTS / "ink-nano.onnx"
    before = Path("before.onnx")
    shutil.copy(file, before)
    respell.main(["ink", "nano", str(released)])
    respell.check_pictures(before, file)
    operators = [node.op_type for node in onnx.load(file).graph.node]
    assert "DepthToSpace" in [node.op_type for node in onnx.load(before).graph.node]
    assert "DepthToSpace" not in operators
    row = next(row for row in json.loads(ship.RESULTS.read_text()) if row["variant"] == "nano")
    assert row["fid"] == 1.25, "figures of pictures stand"
    assert row["latency_p50_ms"] not in (0, 20.0)
    assert row["faster"] > 0
    assert row["peak_memory_mb"] > 10
    card = read_card(read_graph(file).metadata)
    assert (card["size"], card["bytes"]) == ("nano", row["bytes"])
    assert f"{row['faster']:.0f} times" in (ship.WEIGHTS / "ink-nano.md").read_text()


def test_what_would_draw_otherwise_is_left_alone(released: Path, monkeypatch: pytest.MonkeyPatch):
    file, results = ship.WEIGHTS / "ink-nano.onnx", ship.RESULTS.read_text()
    before = file.read_bytes()

    def spoil(model: onnx.ModelProto) -> None:
        bias = next(item for item in model.graph.initializer if item.name.endswith("bias"))
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(0.5), bias.name))

    monkeypatch.setattr(respell, "spell_for_onnx_runtime", spoil)
    with pytest.raises(ValueError, match=r"ink-nano\.onnx: written anew it draws another picture of 512 x 512"):
        respell.main(["ink", "nano", str(released)])
    assert (file.read_bytes(), ship.RESULTS.read_text()) == (before, results)


@pytest.mark.parametrize(
    ("asked", "said"),
    [(("ink", "lite"), "'lite' is none of nano, plus"), (("ink", "plus"), "has no row plus of ink")],
)
def test_what_was_not_released_is_a_line(released: Path, asked: tuple[str, str], said: str):
    with pytest.raises(ValueError, match=said):
        respell.main([*asked, str(released)])
