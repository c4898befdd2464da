"""A released network whose graph is written anew draws the same; all networks of a style are timed anew in one run."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from anime_model.compression.export import export_onnx
from anime_model.metrics.footprint import count_macs, count_parameters
from anime_model.networks.checkpoint import load_generator
from anime_model.networks.onnx_spelling import spell_for_converters
from anime_model.runtime.models import card as read_card
from anime_model.runtime.onnx_layers import read_graph
from tests.exports import graphs_are_traced_once
from tests.tools.test_ship import faster, workspace
from tools import respell, retime, ship

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
    exports = faster / "ink/exports"
    export_onnx(load_generator(faster / "ink/teacher/teacher.safetensors"), exports / "teacher.onnx")
    rows = json.loads(ship.RESULTS.read_text())
    nano = next(row for row in rows if row["variant"] == "nano")
    counted = {"parameters": count_parameters(file), "macs_512": count_macs(file)}
    nano |= TIMED | counted | {"fid": 1.25, "latency_p50_ms": 20.0}
    stage = {key: value for key, value in nano.items() if key != "faster"}
    lite, teacher = stage | {"variant": "int8", "fid": 1.3}, stage | {"variant": "teacher", "fid": 1.4}
    photo = {"style": "ink", "variant": "photo", "fid": 2.5}
    others = [row for row in rows if row["style"] != "ink"]
    ship.RESULTS.write_text(json.dumps([teacher, lite, photo, nano, *others]))
    (faster / "ink/reference").mkdir()
    (faster / "ink/reference/reference.json").write_text("{}")
    return faster


def row_of(variant: str) -> dict:
    return next(row for row in json.loads(ship.RESULTS.read_text()) if row["variant"] == variant)


def test_it_draws_the_same_and_keeps_what_its_release_added(released: Path):
    file = ship.WEIGHTS / "ink-nano.onnx"
    before, card = Path("before.onnx"), read_card(read_graph(file).metadata)
    shutil.copy(file, before)
    respell.main(["ink", "nano"])
    respell.check_pictures(before, file)
    assert "DepthToSpace" in [node.op_type for node in onnx.load(before).graph.node]
    assert "DepthToSpace" not in [node.op_type for node in onnx.load(file).graph.node]
    assert read_card(read_graph(file).metadata) == card


def test_what_would_draw_otherwise_is_left_alone(released: Path, monkeypatch: pytest.MonkeyPatch):
    file = ship.WEIGHTS / "ink-nano.onnx"
    before = file.read_bytes()

    def spoil(model: onnx.ModelProto) -> None:
        bias = next(item for item in model.graph.initializer if item.name.endswith("bias"))
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(0.5), bias.name))

    monkeypatch.setattr(respell, "spell_for_onnx_runtime", spoil)
    with pytest.raises(ValueError, match=r"ink-nano\.onnx: written anew it draws another picture of 512 x 512"):
        respell.main(["ink", "nano"])
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [(("ink", "huge"), "'huge' is none of nano, lite, plus"), (("ink", "plus"), r"ink-plus\.onnx: missing; ink was")],
)
def test_what_was_not_released_is_a_line(released: Path, asked: tuple[str, str], said: str):
    with pytest.raises(ValueError, match=said):
        respell.main([*asked])


def test_all_of_a_style_is_timed_in_one_run(released: Path, capsys: pytest.CaptureFixture):
    file = ship.WEIGHTS / "ink-nano.onnx"
    drawn = onnx.load(file).graph
    retime.main(["ink", str(released)])
    teacher, lite, nano = (row_of(name) for name in ("teacher", "int8", "nano"))
    assert (teacher["fid"], lite["fid"], nano["fid"]) == (1.4, 1.3, 1.25), "figures of pictures stand"
    assert row_of("photo") == {"style": "ink", "variant": "photo", "fid": 2.5}
    for row in (teacher, lite, nano):
        assert row["latency_untimed"] == 1
        assert row["latency_p50_ms"] not in (0, 20.0)
        assert row["peak_memory_mb"] > 10
    assert nano["faster"] == pytest.approx(teacher["latency_p50_ms"] / nano["latency_p50_ms"], rel=1e-4)
    assert onnx.load(file).graph == drawn
    card = read_card(read_graph(file).metadata)
    assert (card["size"], card["bytes"]) == ("nano", nano["bytes"])
    assert f"{nano['faster']:.0f} times" in (ship.WEIGHTS / "ink-nano.md").read_text()
    assert capsys.readouterr().out.count("times as fast as the teacher") == 2


def test_a_stage_without_an_export_keeps_the_times_of_its_own_run(released: Path):
    rows = json.loads(ship.RESULTS.read_text())
    teacher = rows[0]
    pruned = teacher | {"variant": "pruned", "latency_p50_ms": teacher["latency_p50_ms"] / 4}
    ship.RESULTS.write_text(json.dumps([teacher, pruned, *rows[1:]]))
    for _ in range(2):  # the second time its teacher has other times already
        retime.main(["ink", str(released)])
        assert row_of("pruned") == pruned | {"faster": 4.0}
    shutil.copy(released / "ink/exports/teacher.onnx", released / "ink/exports/pruned.onnx")
    retime.main(["ink", str(released)])
    assert row_of("pruned")["latency_untimed"] == 1
    assert "faster" not in row_of("pruned")


def _another_network(released: Path) -> None:
    rows = json.loads(ship.RESULTS.read_text())
    rows[0]["parameters"] += 1
    ship.RESULTS.write_text(json.dumps(rows))


def _no_export(released: Path) -> None:
    (released / "ink/exports/teacher.onnx").unlink()


def _no_network(released: Path) -> None:
    (ship.WEIGHTS / "ink-nano.onnx").unlink()


def _no_published(released: Path) -> None:
    rows = json.loads(ship.RESULTS.read_text())
    ship.RESULTS.write_text(json.dumps([*rows, rows[0] | {"variant": "reference"}]))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_another_network, r"teacher\.onnx: [\d,]+ parameters, not the [\d,]+ of .*: another network"),
        (_no_export, r"teacher\.onnx: no file of the row teacher of ink; all are timed in one run"),
        (_no_network, r"ink-nano\.onnx: no file of the row nano of ink"),
        (_no_published, r"reference\.json: no file of the row reference of ink"),
    ],
)
def test_what_cannot_be_timed_anew_leaves_all_as_it_was(released: Path, spoil, said: str):
    spoil(released)
    before = {path: path.read_bytes() for path in [*ship.WEIGHTS.iterdir(), ship.RESULTS]}
    with pytest.raises(ValueError, match=said):
        retime.main(["ink", str(released)])
    assert {path: path.read_bytes() for path in [*ship.WEIGHTS.iterdir(), ship.RESULTS]} == before


def test_a_style_that_was_not_released_is_a_line(released: Path):
    with pytest.raises(ValueError, match="has no rows teacher and int8 of fog"):
        retime.main(["fog", str(released)])
