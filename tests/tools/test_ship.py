import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch

from anime_model.compression.export import export_onnx, run_onnx
from anime_model.demo.scenes import render
from anime_model.metrics.fidelity import psnr
from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.networks.generator import Generator
from anime_model.runtime.enlarging import STROKE
from anime_model.runtime.models import card as read_card
from anime_model.runtime.models import sizes, styles
from anime_model.runtime.onnx_layers import read_graph
from anime_model.runtime.stylizer import Stylizer
from tests.support import lite
from tools import ship

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / ship.WEIGHTS
METRICS = {
    "style": "ink",
    "variant": "int8",
    "parameters": 1234,
    "macs_512": 10**9,
    "bytes": 430_000,
    "latency_engine": "ONNX Runtime 1",
    "latency_threads": 2,
    "latency_p50_ms": 40.0,
    "cpu": "some CPU",
    "fid": 1.5,
    "fid_photos": 2.5,
    "fid_features": "inception-768",
    "lpips": 0.05,
    "lpips_net": "squeeze",
}


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A style as the pipeline leaves it, the current folder."""
    monkeypatch.chdir(tmp_path)
    style = tmp_path / "artifacts/ink"
    generator = Generator(lite(upsample="half_pixel")).eval()
    save_generator(style / "teacher/teacher.safetensors", generator, trained_steps=7, crop=64)
    save_generator(style / "quantized/quantized.safetensors", generator, weight_bits=7)
    export_onnx(generator, style / "exports/int8.onnx")
    for folder, name, content in (
        ("evaluation", "int8", METRICS),
        ("evaluation", "teacher", METRICS | {"latency_p50_ms": 1000.0, "fid": 1.4}),
        ("data", "prepared", {"photos": 12, "frames": 5}),
    ):
        (style / folder).mkdir(exist_ok=True)
        (style / folder / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_the_lite_network_ships_with_its_card(workspace):
    ship.main(["lite", "ink"])
    shipped = Path("anime_model/weights/ink.onnx")
    assert Stylizer(shipped, threads=1).path == shipped
    properties = {item.key: item.value for item in onnx.load(shipped).metadata_props}
    assert json.loads(properties["card"])["lpips"] == 0.05
    assert int(properties["receptive_radius"]) > 0
    card = Path("anime_model/weights/ink.md").read_text()
    assert "25 times" in card
    assert "7 adversarial steps" in card
    assert "{" not in card
    assert "12 photos (of whoever made this style" in card
    assert "portraits" not in card
    assert "film" not in card
    assert sorted(path.name for path in shipped.parent.iterdir()) == ["ink.md", "ink.onnx"]
    network = load_generator(Path("models/lite/ink.safetensors"))
    assert network.arch == load_generator(Path("artifacts/ink/quantized/quantized.safetensors")).arch


@pytest.fixture
def faster(workspace) -> Path:
    """The artifacts of another run, whose lite network takes half the time; the style itself is shipped."""
    ship.main(["lite", "ink"])
    Path("results").mkdir()
    rows = [{"style": style, "variant": "int8"} for style in ("ink", "fog")]
    ship.RESULTS.write_text(json.dumps(rows))
    shutil.copytree("artifacts/ink", "small/artifacts/ink")
    shutil.rmtree("artifacts")
    Path("small/artifacts/ink/evaluation/int8.json").write_text(json.dumps(METRICS | {"latency_p50_ms": 20.0}))
    return workspace / "small/artifacts"


@pytest.mark.parametrize("given", ["small/artifacts", "small/artifacts/ink"])
def test_a_size_ships_with_its_card_and_its_figures(faster, given, capsys):
    lite = [(ship.WEIGHTS / name).read_bytes() for name in ("ink.onnx", "ink.md")]
    for size in ("plus", "nano", "plus"):
        ship.main(["size", "ink", size, given])
    assert capsys.readouterr().out.endswith(
        "wrote anime_model/weights/ink-plus.onnx, its card, and its figures to results/release.json\n"
    )
    assert [(ship.WEIGHTS / name).read_bytes() for name in ("ink.onnx", "ink.md")] == lite
    assert list(sizes("ink", ship.WEIGHTS)) == ["nano", "lite", "plus"]
    card = read_card(read_graph(ship.WEIGHTS / "ink-nano.onnx").metadata)
    assert (card["style"], card["size"], card["lpips"]) == ("ink", "nano", 0.05)
    told = (ship.WEIGHTS / "ink-nano.md").read_text()
    assert told.startswith("# ink-nano.onnx\n\nTurns a photo into the look of the style `ink`: ")
    assert "`recipes/release.yaml` from `quantize` on: depthwise" in told
    assert "50 times\n" in told
    rows = json.loads(ship.RESULTS.read_text())
    assert [(row["style"], row["variant"], row.get("faster")) for row in rows] == [
        ("ink", "int8", None), ("ink", "nano", 50.0), ("ink", "plus", 50.0), ("fog", "int8", None),
    ]  # fmt: skip
    assert rows[1]["bytes"] == 430_000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ("ink", "lite", "small/artifacts"),
            r"'lite' is none of nano, plus; `python -m tools.ship lite ink` ships lite",
        ),
        (("ink", "huge", "small/artifacts"), r"'huge' is none of nano, plus"),
        (
            ("wash", "nano", "small/artifacts"),
            r"wash ships in no size yet: `python -m tools.ship lite wash` comes first",
        ),
        (("fog", "nano", "small/artifacts/ink"), r"small/artifacts/ink: holds the style ink, not fog"),
        (("ink", "nano", "nowhere"), r"nowhere/evaluation/int8\.json"),
    ],
)
def test_what_cannot_ship_as_a_size_leaves_everything_as_it_was(faster, asked, said):
    shutil.copy(ship.WEIGHTS / "ink.onnx", ship.WEIGHTS / "fog.onnx")
    before = {path: path.read_bytes() for path in [*ship.WEIGHTS.iterdir(), ship.RESULTS]}
    with pytest.raises((ValueError, OSError), match=said):
        ship.main(["size", *asked])
    assert {path: path.read_bytes() for path in [*ship.WEIGHTS.iterdir(), ship.RESULTS]} == before


def test_the_command_says_what_a_size_needs(faster):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "tools.ship", "size", "ink", "nano"]
    ran = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (1, "usage: python -m tools.ship size STYLE SIZE FOLDER\n")
    ran = subprocess.run([*line, "small/artifacts"], env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("file", styles(SHIPPED).values(), ids=lambda file: file.stem)
def test_the_network_to_train_on_draws_what_the_one_to_use_draws(file):
    photo = torch.from_numpy(render(0, (256, 192), "faces", "photo")).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        drawn = load_generator(ROOT / f"models/lite/{file.stem}.safetensors")(photo)
    assert psnr(run_onnx(file, photo), drawn) > 40


def test_the_teacher_ships_in_half_precision_with_its_notes(workspace):
    ship.main(["teacher", "ink"])
    shipped, source = Path("models/teachers/ink.safetensors"), Path("artifacts/ink/teacher/teacher.safetensors")
    assert shipped.stat().st_size < 0.75 * source.stat().st_size
    assert read_notes(shipped) == read_notes(source)
    assert load_generator(shipped).arch == load_generator(source).arch


def test_a_shipped_teacher_interpolates_every_pixel_alike(workspace):
    source = Path("artifacts/ink/teacher/teacher.safetensors")
    trained = Generator(lite(upsample="bilinear")).eval()
    save_generator(source, trained, trained_steps=7, crop=64)
    ship.main(["teacher", "ink"])
    shipped = load_generator(Path("models/teachers/ink.safetensors"))
    assert (trained.arch.upsample, shipped.arch.upsample) == ("bilinear", "half_pixel")
    assert torch.equal(shipped.out.weight, trained.out.weight.half().float())


def test_a_card_says_what_its_own_style_does(workspace):
    lite = METRICS | {"style": "ink"}
    written = {
        style: ship.text(style, workspace / "artifacts/ink", lite, METRICS, {"trained_steps": 7})
        for style in ("hayao", "cute", "ink")
    }
    assert "eyes and shapes stay where they are" in written["hayao"]
    assert "larger eyes" in written["cute"]
    assert "stay where they are" not in written["cute"]
    assert "`polish --kernels --focus`" in written["cute"]
    assert "nobody has described its pictures yet" in written["ink"]


def test_the_release_s_styles_say_where_their_pictures_came_from(workspace):
    Path("artifacts/ink").rename("artifacts/hayao")
    ship.main(["lite", "hayao"])
    assert "12 photos (US portraits, " in Path("anime_model/weights/hayao.md").read_text()


def test_an_unknown_thing_to_ship_is_named(workspace):
    with pytest.raises(ValueError, match="'poster' is none of teacher, lite, size"):
        ship.main(["poster", "ink"])


def test_a_network_that_learned_from_another_names_it_and_its_terms(workspace):
    style = Path("artifacts/ink")
    teacher = load_generator(style / "teacher/teacher.safetensors")
    save_generator(style / "teacher/teacher.safetensors", teacher, trained_steps=1234, crop=64, learned_from="SomeGAN")
    ship.main(["lite", "ink"])
    card = Path("anime_model/weights/ink.md").read_text()
    assert "learned the pictures of **SomeGAN** for 1,234 steps" in card
    assert "non-commercial" in card
    assert "adversarial" not in card


def test_a_teacher_that_learned_by_the_clock_names_its_file_or_who_published_it(workspace):
    style = Path("artifacts/ink")
    teacher = load_generator(style / "teacher/teacher.safetensors")
    save_generator(style / "teacher/teacher.safetensors", teacher, crop=64, learned_from="net.onnx")
    ship.main(["lite", "ink"])
    assert "learned the pictures of **net.onnx**.\n" in Path("anime_model/weights/ink.md").read_text()
    style.rename("artifacts/hayao")
    ship.main(["lite", "hayao"])
    card = Path("anime_model/weights/hayao.md").read_text()
    assert "learned the pictures of **AnimeGANv3, style Hayao**.\n" in card
    assert "and carries its terms" in card
    assert "net.onnx" not in card


def test_a_style_that_draws_best_at_a_size_of_its_own_ships_with_it(workspace):
    Path("artifacts/ink").rename("artifacts/cute")
    ship.main(["lite", "cute"])
    assert Stylizer(Path("anime_model/weights/cute.onnx")).stroke_for() == 448
    Path("artifacts/cute").rename("artifacts/hayao")
    ship.main(["lite", "hayao"])
    assert Stylizer(Path("anime_model/weights/hayao.onnx")).stroke_for() == STROKE
