import itertools
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch

from anime_model.compression import export
from anime_model.compression.export import (
    ExportError,
    deployable,
    export_int8_onnx,
    export_onnx,
    pack_weights,
    run_onnx,
    verify,
)
from anime_model.compression.grid import calibrate, quantizable
from anime_model.compression.qdq import write_qdq
from anime_model.compression.quantization import Int8Trial
from anime_model.compression.rounding import rounded
from anime_model.compression.timing import Bench, fastest_int8, plan, search
from anime_model.compression.torchscript import export_int8_torchscript, export_torchscript, int8_engine
from anime_model.metrics.fidelity import psnr
from anime_model.metrics.footprint import count_macs, count_parameters
from anime_model.networks.architecture import animeganv2
from anime_model.networks.cost import receptive_radius
from anime_model.networks.generator import Generator
from anime_model.recipes.quantize import QuantizeSettings
from tests.support import lite

WEIGHTS = Path(__file__).parents[2] / "anime_model/weights"


@pytest.fixture
def quantized(student) -> Generator:
    """Folded, everything but the first layer in INT8."""
    network = deployable(student)
    network.arch = replace(network.arch, int8=tuple(name for name in quantizable(network) if name != "layers.a0"))
    return network


def test_float_onnx_gives_the_networks_picture_at_any_size(student, tmp_path):
    export_onnx(student, tmp_path / "x.onnx")
    for size in ((40, 40), (37, 70), (128, 96)):
        photo = torch.rand(1, 3, *size) * 2 - 1
        with torch.no_grad():
            torch.testing.assert_close(run_onnx(tmp_path / "x.onnx", photo), student(photo), atol=1e-4, rtol=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["x.onnx"]


def test_onnx_contract(student, tmp_path):
    export_onnx(student, tmp_path / "x.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "x.onnx"))
    photo, anime = session.get_inputs()[0], session.get_outputs()[0]
    assert (photo.name, photo.type, anime.name) == ("photo", "tensor(float)", "anime")
    assert [isinstance(axis, int) for axis in photo.shape] == [True, True, False, False]
    ops = {node.op_type for node in onnx.load(tmp_path / "x.onnx").graph.node}
    assert "BatchNormalization" not in ops


def test_teacher_with_group_norm_exports(tmp_path):
    teacher = Generator(animeganv2(0.25)).eval()
    export_onnx(teacher, tmp_path / "t.onnx")
    export_torchscript(teacher, tmp_path / "t.ts")
    photo = torch.rand(1, 3, 45, 66) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(str(tmp_path / "t.ts"))(photo), teacher(photo), atol=1e-4, rtol=1e-4)


def test_int8_onnx_quantizes_what_it_says(quantized, photo, tmp_path):
    export_int8_onnx(quantized, calibrate(quantized, photo), photo, tmp_path / "q.onnx", weight_bits=7)
    export_onnx(quantized, tmp_path / "float.onnx")
    graph = onnx.load(tmp_path / "q.onnx").graph
    kernels = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    weights = [onnx.numpy_helper.to_array(tensor) for name, tensor in kernels.items() if "weight_quantized" in name]
    convs = [node for node in graph.node if node.op_type == "Conv"]
    assert len([name for name in kernels if name.endswith("weight.int8")]) == len(convs) - len(weights) > 0
    assert len(weights) == len(quantized.arch.int8)
    assert max(abs(int(weight.min())) for weight in weights) <= 63  # 7 bits: no sum of two products saturates
    assert (tmp_path / "q.onnx").stat().st_size < 0.5 * (tmp_path / "float.onnx").stat().st_size
    with torch.no_grad():
        assert psnr(run_onnx(tmp_path / "q.onnx", photo[:1]), quantized(photo[:1])) > 28
    assert run_onnx(tmp_path / "q.onnx", torch.zeros(1, 3, 37, 70)).shape == (1, 3, 37, 70)


def test_packed_weights_are_unfolded_once_when_the_file_is_loaded(student, photo, tmp_path):
    network, steps = rounded(deployable(student), photo)
    for name in ("float.onnx", "packed.onnx"):
        export_onnx(network, tmp_path / name)
    pack_weights(tmp_path / "packed.onnx", steps)
    assert (tmp_path / "packed.onnx").stat().st_size < 0.45 * (tmp_path / "float.onnx").stat().st_size
    whole, packed = (run_onnx(tmp_path / name, photo[:1]) for name in ("float.onnx", "packed.onnx"))
    torch.testing.assert_close(packed, whole, atol=1e-5, rtol=0)
    for count in (count_parameters, count_macs):
        assert count(tmp_path / "packed.onnx") == count(tmp_path / "float.onnx")
    kinds = []
    for name in ("float.onnx", "packed.onnx"):
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
        onnxruntime.InferenceSession(str(tmp_path / name), options, providers=["CPUExecutionProvider"])
        kinds.append(Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node))
    assert kinds[0] == kinds[1]


def test_files_say_how_far_tiles_must_overlap(tmp_path):
    calibration = torch.rand(2, 3, 64, 64) * 2 - 1
    for upsample, said in (("half_pixel", True), ("bilinear", False)):
        arch = replace(lite(upsample=upsample), int8=("layers.a1",))
        generator = Generator(arch).eval()
        export_onnx(generator, tmp_path / "float.onnx")
        ranges = calibrate(deployable(generator), calibration)
        export_int8_onnx(generator, ranges, calibration, tmp_path / "int8.onnx", weight_bits=7)
        for name in ("float", "int8"):
            found = {item.key: item.value for item in onnx.load(tmp_path / f"{name}.onnx").metadata_props}
            assert found.get("receptive_radius") == (str(receptive_radius(arch)) if said else None)


def test_torchscript_names_no_folder_of_this_machine(student, tmp_path):
    export_torchscript(student, tmp_path / "t.ts")
    with zipfile.ZipFile(tmp_path / "t.ts") as archive:
        names = archive.namelist()
        assert not [name for name in names if str(Path(__file__).parents[2]).encode() in archive.read(name)]
    assert not [name for name in names if name.endswith(".debug_pkl")]


def test_int8_torchscript_runs_at_any_size(quantized, photo, tmp_path):
    export_int8_torchscript(quantized, photo, tmp_path / "q.ts")
    script = torch.jit.load(str(tmp_path / "q.ts"))
    with torch.no_grad():
        assert psnr(script(photo), quantized(photo)) > 28
        assert script(torch.zeros(1, 3, 37, 70)).shape == (1, 3, 37, 70)
    assert "quantized::conv2d" in str(script.inlined_graph)


def test_a_file_that_computes_something_else_is_refused(student, tmp_path):
    with pytest.raises(ExportError, match=r"wrong\.onnx: differs from the network"):
        verify(lambda photo: photo, student, tmp_path / "wrong.onnx")
    with pytest.raises(ExportError, match="differs"):
        verify(lambda photo: photo * float("nan"), student, tmp_path / "nan.onnx")


def test_every_unit_is_timed_in_both_formats(student, photo, tmp_path):
    times = Bench(student, photo, 7, 64, 1, tmp_path).unit_times()
    assert list(times) == list(quantizable(deployable(student)))
    assert all(float_ms > 0 and int8_ms > 0 for float_ms, int8_ms in times.values())


def test_a_slow_int8_layer_between_fast_ones_is_taken_along():
    """INT8 costs 1 and float 3, but the depthwise layers 2 in INT8 and 1 in float; every change of format costs 2."""
    units = ["layers.a0", *(f"layers.{name}.{part}" for name in ("b0", "b1") for part in ("depthwise", "pointwise"))]

    def cost(choice: frozenset[str]) -> int:
        int8 = [name in choice for name in units]
        own = [(2 if i else 1) if "depthwise" in name else (1 if i else 3) for name, i in zip(units, int8, strict=True)]
        return sum(own) + 2 * sum(a != b for a, b in itertools.pairwise([False, *int8, False]))

    def faster(challenger: frozenset[str], best: frozenset[str]) -> frozenset[str]:
        return challenger if cost(challenger) < cost(best) else best

    alone = [name for name in units if "depthwise" not in name]
    choices = itertools.chain.from_iterable(itertools.combinations(units, n) for n in range(len(units) + 1))
    found = search(units, alone, faster)
    assert cost(frozenset(found)) == min(cost(frozenset(choice)) for choice in choices) < cost(frozenset(alone))


def test_a_block_is_tried_without_the_layer_that_harms():
    """c0 may not run in INT8; c1 to c4 gain 3 each, and every change of format costs 4: no layer pays alone. A start
    with two layers of other blocks is slower than none, so that none is what the search goes on from."""
    units = ["layers.a0", "layers.b0", *(f"layers.c{number}" for number in range(5)), "layers.d0"]
    start = [name for name in units if name not in ("layers.c0", "layers.b0")]

    def cost(choice: frozenset[str]) -> int:
        int8 = [name in choice for name in units]
        gains = 3 * sum(name.startswith("layers.c") for name in choice)
        return (
            4 * sum(a != b for a, b in itertools.pairwise([False, *int8, False])) - gains + 10 * ("layers.a0" in choice)
        )

    def faster(challenger: frozenset[str], best: frozenset[str]) -> frozenset[str]:
        harmless = not {"layers.c0", "layers.b0"} & challenger
        return challenger if harmless and cost(challenger) < cost(best) else best

    assert cost(frozenset(start)) > cost(frozenset())
    assert search(units, start, faster) == ("layers.c1", "layers.c2", "layers.c3", "layers.c4")


@pytest.mark.parametrize(("gain", "kept"), [(2, ()), (20, ("layers.a0",))])
def test_int8_that_gains_nothing_is_not_kept(gain, kept):
    units = ["layers.a0", "layers.a1"]

    def faster(challenger: frozenset[str], best: frozenset[str]) -> frozenset[str]:
        time = {choice: 100 - gain * ("layers.a0" in choice) for choice in (challenger, best)}
        return challenger if time[challenger] < 0.9 * time[best] else best

    assert search(units, ["layers.a0"], faster) == kept


def test_the_plan_names_what_the_picture_bears(student, photo, monkeypatch):
    """Where INT8 is always the faster, as much of it runs as the picture bears, and no more."""
    student.out.weight.data *= 50  # as a trained network's, its pictures fill their range
    monkeypatch.setattr(Bench, "faster", lambda bench, new, best: max(new, best, key=len))
    monkeypatch.setattr(Bench, "unit_times", lambda bench: dict.fromkeys(units, (2.0, 1.0)))
    units, trial = list(quantizable(deployable(student))), Int8Trial(deployable(student), photo, 7)
    bound = (trial.psnr(units) + trial.psnr(units[:1])) / 2  # not all of them, and some
    told: list[tuple[int, int]] = []
    settings = QuantizeSettings(psnr=round(bound, 1), slower=100)
    made = plan(student, photo, settings, threads=1, on_step=lambda *step: told.append(step))
    assert told == [(step, len(told)) for step in range(1, len(told) + 1)], "to the end, and no further"
    assert len(told) > len(units)
    assert list(made.times) == list(made.alone) == units
    assert 0 < len(made.int8) < len(units)
    assert trial.psnr(made.int8) >= round(bound, 1)


def test_a_broken_int8_file_is_not_kept(quantized, photo, tmp_path, monkeypatch):
    """Written with other ranges than those of training."""
    quantized.out.weight.data *= 50  # as a trained network's, its pictures fill their range
    ranges = calibrate(quantized, photo)
    wrong = {point: (low / 50, high / 50) for point, (low, high) in ranges.items()}
    monkeypatch.setattr(export, "write_qdq", lambda *given: write_qdq(*given[:4], wrong, given[5]))
    with pytest.raises(ExportError, match=r"q\.onnx: .* dB to the trained network, under 28"):
        export_int8_onnx(quantized, ranges, photo, tmp_path / "q.onnx", weight_bits=7)
    assert not list(tmp_path.iterdir())


def test_what_the_picture_does_not_bear_is_not_tried(student, photo, tmp_path):
    bench = Bench(student, photo[:1], 7, 64, 1, tmp_path)
    found = fastest_int8(bench, bench.units[:1], within_tolerance=lambda names: len(names) < 2)
    assert len(found) < 2


def test_the_recipe_can_name_the_float_layers(student, photo):
    settings = QuantizeSettings(keep_float=("layers.a0",), psnr=99, timing_size=64)
    told: list[tuple[int, int]] = []
    made = plan(student, photo, settings, threads=1, on_step=lambda *step: told.append(step))
    assert told == [(step, len(told)) for step in range(1, 2 + len(made.times))]
    assert set(made.times) - set(made.int8) == {"layers.a0"}


def test_a_file_names_no_folder_of_the_machine_that_made_it(tmp_path):
    export_onnx(Generator(lite()).eval(), tmp_path / "m.onnx")
    held = (tmp_path / "m.onnx").read_bytes()
    assert not any(name in held for name in (b"site-packages", b"generator.py", b"stack_trace"))


@pytest.mark.parametrize("file", sorted(WEIGHTS.glob("*.onnx")), ids=lambda file: file.stem)
def test_what_ships_names_no_folder_either(file):
    assert b".py" not in file.read_bytes()


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (["qnnpack", "onednn", "x86", "fbgemm"], "fbgemm"),
        (["onednn", "x86"], "x86"),
        (["qnnpack"], "qnnpack"),
        (["none", "onednn"], None),
    ],
)
def test_the_engine_for_int8_is_one_that_the_machine_has(tmp_path, monkeypatch, there, wanted):
    monkeypatch.setattr(type(torch.backends.quantized), "supported_engines", there)
    if wanted is None:
        with pytest.raises(ExportError, match=r"^int8\.ts: PyTorch runs no INT8 on this machine \(fbgemm, x86"):
            int8_engine(tmp_path / "int8.ts")
    else:
        assert int8_engine(tmp_path / "int8.ts") == wanted
