import json
from pathlib import Path

import onnx
import pytest
import torch

from anime_model.compression.export import export_onnx, run_onnx
from anime_model.demo.scenes import render
from anime_model.metrics.fidelity import psnr
from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.networks.generator import Generator
from anime_model.runtime.models import styles
from anime_model.runtime.stylizer import Stylizer
from tests.support import lite
from tools import ship

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / ship.WEIGHTS
METRICS = {
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


def test_the_release_s_styles_say_where_their_pictures_came_from(workspace):
    Path("artifacts/ink").rename("artifacts/hayao")
    ship.main(["lite", "hayao"])
    assert "12 photos (US portraits, " in Path("anime_model/weights/hayao.md").read_text()


def test_an_unknown_thing_to_ship_is_named(workspace):
    with pytest.raises(ValueError, match="'poster' is none of teacher, lite"):
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
