"""What a survey sees in pictures, and which bounds stop it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from anime_model.recipes.checks import CheckSettings
from anime_model.training.inspection import Survey, checks, content_hash, survey

SETTINGS = CheckSettings(photos=4, test=2, frames=4)


def picture(seed: int, size: int = 64) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC)


def draw(folder: Path, seeds: range, brighter: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        Image.fromarray(np.clip(np.asarray(picture(seed), int) + brighter, 0, 255).astype(np.uint8)).save(
            folder / f"{seed}.png"
        )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    draw(tmp_path / "photos" / "train", range(40))
    draw(tmp_path / "photos" / "test" / "faces", range(100, 110))
    draw(tmp_path / "frames" / "cel", range(200, 210))
    return tmp_path


def look(data: Path, known: Survey | None = None) -> Survey:
    return survey(data / "photos", {"cel": data / "frames" / "cel"}, 32, known)


def failed(found: Survey, last: Survey | None = None, settings: CheckSettings = SETTINGS) -> dict[str, str]:
    return {check.name: check.detail for check in checks(found, settings, last) if not check.passed}


def test_good_data_pass_and_equal_data_are_known_again(data: Path, tmp_path: Path):
    found = look(data)
    assert list(found) == ["photos/train", "photos/test/faces", "frames/cel"]
    assert failed(found, found) == {}
    assert [check.figure for check in checks(found, SETTINGS)][:3] == [40, 10, 10]
    before = content_hash(found)
    (data / "photos" / "train" / "0.png").touch()
    assert content_hash(look(data)) == before
    (data / "photos" / "train" / "0.png").unlink()
    assert content_hash(look(data)) != before


def test_a_known_file_is_not_read_again(data: Path):
    found = look(data)
    found["photos/train"]["0.png"]["measures"] = "as before"
    assert look(data, found)["photos/train"]["0.png"]["measures"] == "as before"
    (data / "photos" / "train" / "0.png").touch()
    assert look(data, found)["photos/train"]["0.png"]["measures"] != "as before"


def test_too_few_and_unreadable_and_small_pictures_are_named(data: Path):
    (data / "photos" / "train" / "1.png").write_bytes(b"no picture")
    picture(300, 16).save(data / "frames" / "cel" / "small.png")
    found = failed(look(data), settings=CheckSettings(photos=40, test=2, frames=4))
    assert set(found) == {"photos/train: pictures", "unusable pictures (share)"}
    assert "photos/train/1.png (not a picture" in found["unusable pictures (share)"]
    assert "frames/cel/small.png (16 x 16 px: too small" in found["unusable pictures (share)"]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((90, 90)),
        lambda image: image.point(lambda level: level * 0.9 + 8),
        ImageOps.mirror,
        lambda image: image.resize((40, 40)).resize((64, 64)),
    ],
    ids=["larger", "duller", "mirrored", "blurred"],
)
def test_a_test_photo_that_was_changed_a_little_is_found_among_the_train_photos(data: Path, change):
    change(picture(103)).save(data / "photos" / "train" / "twin.jpg", quality=85)
    found = failed(look(data))
    assert found == {
        "test photos that look like train photos": "photos/test/faces/103.png is like photos/train/twin.jpg"
    }


def test_equal_pixels_are_left_to_prepare_and_flat_pictures_are_no_twins(data: Path):
    picture(103).save(data / "photos" / "train" / "same.png")
    Image.new("RGB", (64, 64), "grey").save(data / "photos" / "train" / "grey.png")
    Image.new("RGB", (64, 64), "white").save(data / "photos" / "test" / "faces" / "white.png")
    assert failed(look(data)) == {}


def test_pictures_that_are_gone_and_others_than_before_are_noticed(data: Path):
    last = look(data)
    for seed in range(12):
        (data / "photos" / "train" / f"{seed}.png").unlink()
    assert failed(look(data), last) == {"pictures gone since the last run (share)": "photos/train: 30%"}
    draw(data / "photos" / "train", range(40), brighter=90)
    name = "shift since the last run (Kolmogorov-Smirnov)"
    found = failed(look(data), last)
    assert set(found) == {name}
    assert " of photos/train: 1.00, " in found[name]


def test_chance_is_no_shift(data: Path):
    """Ten other photos of the same kind: large distances that mean nothing."""
    last = look(data)
    for seed in range(100, 110):
        (data / "photos" / "test" / "faces" / f"{seed}.png").unlink()
    draw(data / "photos" / "test" / "faces", range(400, 410))
    assert failed(look(data), last) == {}


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"train: no such folder; see data\.photos"):
        survey(tmp_path, {}, 32)
