"""The pipeline as it is declared: every stage of the real `dvc.yaml`, with a tiny recipe, through `dvc repro`."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import numpy_helper

from anime_model.compression.grid import activation_grid
from anime_model.networks.checkpoint import read_notes
from tests.declared import STYLE, declared_project, dvc
from tests.tasks.test_dependencies import paths

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
VARIANTS = ("teacher", "separable", "pruned", "distilled", "int8")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return declared_project(tmp_path_factory)


def test_every_stage_leaves_what_it_declares(project):
    stages = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
    assert len(stages) == 10
    for stage in stages.values():
        outs = paths([*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])])
        for out in outs:
            made = project / out.replace("${item.style}", STYLE).replace("${item.set}", "demo")
            assert made.exists(), made


def test_a_second_run_has_nothing_to_do(project):
    """No stage writes into what another has made, and none depends on what changes by itself."""
    assert json.loads(dvc(project, "status", "--json")) == {}


def test_outputs_hold_neither_times_nor_folders(project):
    """But for the evaluation's, whose figures are times: the same work would leave other files."""
    files = [file for file in (project / "artifacts").rglob("*") if file.is_file()]
    assert len(files) > 40
    for file in files:
        assert str(project).encode() not in file.read_bytes(), file
        if file.suffix in (".csv", ".json") and "evaluation" not in file.parts:
            names = re.findall(r"[\w.]+", file.read_text())
            assert not [name for name in names if re.search(r"_ms$|_seconds$|^seconds$|latency_p", name)], file


def test_every_variant_is_exported_and_measured(project):
    exports = json.loads((project / "artifacts/cel/exports/exports.json").read_text())
    assert set(exports) == {f"{variant}.{kind}" for variant in VARIANTS for kind in ("onnx", "ts")}
    evaluation = project / "artifacts/cel/evaluation"
    rows = {variant: json.loads((evaluation / f"{variant}.json").read_text()) for variant in VARIANTS}
    for variant in VARIANTS:
        assert rows[variant]["bytes"] == exports[f"{variant}.onnx"]
        assert rows[variant]["latency_p50_ms"] > 0
    assert rows["pruned"]["parameters"] < rows["separable"]["parameters"] < rows["teacher"]["parameters"]


def test_the_exported_grid_is_the_trained_one(project):
    learned = json.loads(read_notes(project / "artifacts/cel/quantized/quantized.safetensors")["ranges"])
    grids = {(float(np.float32(scale)), zero) for scale, zero in map(activation_grid, learned.values())}
    graph = onnx.load(project / "artifacts/cel/exports/int8.onnx").graph
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    pairs = [node.input for node in graph.node if node.op_type == "QuantizeLinear"]
    assert len(pairs) > 10
    for _, scale, zero in pairs:
        assert (float(held[scale]), int(held[zero])) in grids
