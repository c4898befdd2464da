"""Each training of the tool on a few small photos and a tiny published network, to its end."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import write_picture
from anime_model.training.imitation import Learner, pooled_pairs
from tests.networks.test_onnx_network import published_like
from tests.support import lite
from tools import imitate


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Path]:
    draw = np.random.default_rng(0)
    for place in range(4):
        write_picture(tmp_path / f"photos/{place}.png", draw.integers(0, 256, (72, 80, 3), dtype=np.uint8))
    torch.manual_seed(0)
    save_generator(tmp_path / "teacher.safetensors", Generator(animeganv2(0.25)).eval())
    return {"photos": tmp_path / "photos", "reference": published_like(tmp_path / "net.onnx"), "out": tmp_path / "out"}


def run(monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], what: str, start: Path, *more: str) -> None:
    named = [word for key, value in given.items() for word in (f"--{key}", str(value))]
    small = ["--crop", "64", "--batch", "2", "--pool", "4", "--device", "cpu", "--keep", "0.6", *more]
    monkeypatch.setattr("sys.argv", ["imitate", what, "--start", str(start), *named, *small])
    imitate.main()


@pytest.mark.slow
def test_teacher_then_lite_then_polish(monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path):
    run(monkeypatch, given, "teacher", tmp_path / "teacher.safetensors", "--seconds", "1")
    taught = load_generator(given["out"] / "teacher.safetensors")
    begun = load_generator(tmp_path / "teacher.safetensors")
    assert taught.arch == begun.arch, "with another upsampling it would draw half a pixel beside"
    assert not torch.equal(taught.out.weight, begun.out.weight)
    steered = ("--seconds", "1", "--gate", "--critic", "0.3")
    run(monkeypatch, given, "teacher", given["out"] / "teacher.safetensors", *steered)
    gated = load_generator(given["out"] / "teacher.safetensors")
    assert gated.arch == replace(taught.arch, detail="gated")
    assert gated.out.weight[3:].abs().max() > 0
    run(monkeypatch, given, "lite", given["out"] / "teacher.safetensors", "--seconds", "4")
    lite = load_generator(given["out"] / "distilled.safetensors")
    assert (lite.arch.tail, lite.arch.detail) == ("subpixel", "gated")
    run(monkeypatch, given, "polish", given["out"] / "distilled.safetensors", "--seconds", "1", "--calm", "photos=0.1")
    polished = load_generator(given["out"] / "polished.safetensors")
    assert polished.arch == lite.arch
    assert read_notes(given["out"] / "polished.safetensors")["learned_from"] == "net.onnx"
    photo = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        assert polished(photo).isfinite().all()
        assert not torch.allclose(polished(photo), lite(photo), atol=1e-3)


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_a_teacher_whose_norm_sees_the_whole_picture_learns_whole_pictures(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path, norm: str
):
    """The photos are 80 x 72: other teachers learn from squares of the crop's size alone."""
    shapes, made = [], imitate.pooled_pairs

    def noted(*arguments) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
        pairs = made(*arguments)
        shapes.extend(tuple(side.shape for side in pairs()) for _ in range(40))
        return pairs

    monkeypatch.setattr(imitate, "pooled_pairs", noted)
    assert animeganv2().norm == "group"
    save_generator(tmp_path / "start.safetensors", Generator(replace(animeganv2(0.125), norm=norm)).eval())
    run(monkeypatch, given, "teacher", tmp_path / "start.safetensors", "--seconds", "0", "--crop", "48")
    photos = {photo for photo, _ in shapes}
    assert all(photo == wanted for photo, wanted in shapes)
    if norm == "batch":
        assert photos == {(2, 3, 48, 48)}
    else:
        assert all(photo[:2] == (1, 3) and min(photo[2:]) >= 48 for photo in photos)
        assert len(photos) > 1


def test_only_the_folders_that_are_named_are_calmed(given: dict[str, Path], tmp_path: Path):
    (given["photos"] / "0.png").rename(tmp_path / "0.png")
    (tmp_path / "faces").mkdir()
    (tmp_path / "0.png").rename(tmp_path / "faces/0.png")
    folders = [f"{given['photos']}=0.7", f"{tmp_path / 'faces'}=0.3"]

    def calm(given: list[str]) -> list[float]:
        return imitate.photos_of(folders, torch.device("cpu"), imitate._weights(given))[2].tolist()

    assert calm([]) == [0, 0, 0, 0]
    assert calm(["faces=0.06"]) == pytest.approx([0, 0, 0, 0.06])
    with pytest.raises(ValueError, match=r"--calm hair: no folder of --photos has that name"):
        calm(["faces=0.06", "hair=0.1"])
    for wrong in ("faces", "faces=", "faces=much", "faces=-1"):
        with pytest.raises(ValueError, match=r"--calm faces: FOLDER=WEIGHT is expected"):
            calm([wrong])


def test_the_published_network_draws_calmed_skin_for_photos_as_they_are(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path
):
    rooms: list[imitate.Room] = []
    monkeypatch.setitem(imitate.TRAININGS, "polish", rooms.append)
    run(monkeypatch, given, "polish", tmp_path / "teacher.safetensors", "--seconds", "1", "--calm", "photos=0.2")
    room = rooms[0]
    skin = (torch.tensor([224, 172, 150]) / 127.5 - 1).view(1, 3, 1, 1)
    photo = skin + 0.05 * torch.randn(1, 3, 72, 80)
    monkeypatch.setattr(room.views, "whole", lambda place, least, most: photo)
    shown: list[torch.Tensor] = []
    monkeypatch.setattr(imitate.Room, "wanted", lambda room, seen: shown.append(seen) or seen)
    given_photo, _ = imitate._pairs(room, whole=True)()
    assert shown
    rough = photo.std(dim=(2, 3)).min()
    assert all(seen.std(dim=(2, 3)).max() < 0.4 * rough for seen in shown)
    assert given_photo.std(dim=(2, 3)).min() > 0.8 * rough


def test_a_folder_without_pictures_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture
):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="empty: holds no picture"):
        run(
            monkeypatch,
            given | {"photos": tmp_path / "empty"},
            "polish",
            tmp_path / "teacher.safetensors",
            "--seconds",
            "1",
        )


def test_folders_with_and_without_a_share_do_not_mix(tmp_path: Path):
    """A share of 0.5 beside 73 pictures that count 1 each would be nearly none."""
    for name in ("faces", "scenes"):
        write_picture(tmp_path / name / "0.png", np.zeros((32, 32, 3), np.uint8))
    folders = [f"{tmp_path}/faces=0.5", f"{tmp_path}/scenes"]
    with pytest.raises(ValueError, match="--photos: give each folder a share, or none of them"):
        imitate.photos_of(folders, torch.device("cpu"), {})
    weights = imitate.photos_of([f"{tmp_path}/faces=0.5", f"{tmp_path}/scenes=0.5"], torch.device("cpu"), {})[1]
    assert weights.tolist() == [0.5, 0.5]


def test_a_missing_network_is_named(monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path):
    with pytest.raises(SystemExit, match=r"gone\.onnx"):
        run(
            monkeypatch,
            given | {"reference": tmp_path / "gone.onnx"},
            "teacher",
            tmp_path / "teacher.safetensors",
            "--seconds",
            "1",
        )


@pytest.mark.slow
def test_a_gate_and_narrower_layers(monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path):
    start = tmp_path / "lite.safetensors"
    save_generator(start, Generator(lite()).eval())
    run(monkeypatch, given, "polish", start, "--seconds", "1", "--gate", "--narrow", "a0=6")
    gated = load_generator(given["out"] / "polished.safetensors")
    arch = lite(detail="gated")
    assert gated.arch == arch.with_layers(a0=replace(arch.layers["a0"], width=6))
    assert gated.out.weight[12:].abs().max() > 0


@pytest.mark.slow
def test_larger_kernels_and_views_where_shapes_change(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path
):
    start, shares = tmp_path / "lite.safetensors", []
    save_generator(start, Generator(lite()).eval())
    monkeypatch.setattr(imitate, "pooled_pairs", lambda *given: (shares.append(given[-1]), pooled_pairs(*given))[1])
    run(monkeypatch, given, "polish", start, "--seconds", "1", "--kernels", "c2=7", "--focus", "0.5")
    seen = load_generator(given["out"] / "polished.safetensors")
    assert seen.arch == lite().with_layers(c2=replace(lite().layers["c2"], kernel=7))
    assert shares == [0.5]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["teacher", "polish", "family"])
def test_saving_on_the_way_leaves_the_average_on_its_device(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path, what: str
):
    start, moved, averages = tmp_path / "teacher.safetensors", [], []
    if what != "teacher":
        start = tmp_path / "lite.safetensors"
        save_generator(start, Generator(lite()).eval())
    begin = Learner.__post_init__

    def kept(self: Learner) -> None:
        begin(self)
        averages.append(self.average)

    def to_cpu(self: torch.nn.Module) -> torch.nn.Module:
        moved.append(self)
        return self

    monkeypatch.setattr(Learner, "__post_init__", kept)
    monkeypatch.setattr(torch.nn.Module, "cpu", to_cpu)
    run(monkeypatch, given, what, start, "--seconds", "1")
    (average,) = averages
    assert moved
    assert not {id(module) for module in moved} & {id(module) for module in average.modules()}


@pytest.mark.parametrize(
    ("option", "word"),
    [
        *(("narrow", word) for word in ("a0", "a0=many", "z9=8", "a0=800")),
        *(("kernels", word) for word in ("c2", "z9=5", "b0=5", "c2=4")),
    ],
)
def test_a_size_that_no_layer_can_have_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path, option: str, word: str
):
    start = tmp_path / "lite.safetensors"
    save_generator(start, Generator(lite()).eval())
    with pytest.raises(SystemExit, match=word.partition("=")[0]):
        run(monkeypatch, given, "polish", start, "--seconds", "1", f"--{option}", word)


def test_a_lite_network_learns_a_teachers_pictures_too(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Path], tmp_path: Path
):
    rooms = []
    monkeypatch.setitem(imitate.TRAININGS, "polish", rooms.append)
    teacher = tmp_path / "teacher.safetensors"
    run(monkeypatch, given | {"reference": teacher}, "polish", teacher, "--seconds", "1")
    (room,) = rooms
    photo = torch.rand(1, 3, 64, 64) * 2 - 1
    assert torch.equal(room.wanted(photo), load_generator(teacher)(photo).detach())
