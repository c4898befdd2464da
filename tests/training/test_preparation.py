"""Real folders hold every kind of picture: the good ones are used, the others are listed with a reason."""

import json

import numpy as np
import pytest
from PIL import Image

from anime_model.pictures.arrays import picture_files, read_picture, write_picture
from anime_model.training.preparation import prepare, scale_down, smooth_edges

SIZES = {"photo_size": 48, "test_size": 64, "frame_size": 60, "smallest": 32}


def _picture(seed: int, height: int = 80, width: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def folders(tmp_path):
    """Photos and frames as a person would lay them out."""
    for i in range(5):
        write_picture(tmp_path / f"photos/train/a/{i}.png", _picture(i))
        write_picture(tmp_path / f"photos/test/scenes/{i}.png", _picture(100 + i))
        write_picture(tmp_path / f"frames/film/{i}.png", _picture(200 + i))
    write_picture(tmp_path / "photos/train/b/0.png", _picture(50, 40, 300))
    return tmp_path


def _prepare(folder, out="out", **sizes) -> dict:
    return prepare(folder / "photos", folder / "frames", folder / out, **(SIZES | sizes))


def test_layout_sizes_and_counts(folders):
    steps = []
    facts = _prepare(folders, on_step=lambda *step: steps.append(step))
    out = folders / "out"
    kept = json.loads((out / "prepared.json").read_text(encoding="utf-8"))
    assert facts == kept | {"set_aside": []}
    assert "set_aside" not in kept, "pictures that were never used are no reason to train again"
    assert (facts["photos"], facts["frames"], facts["test"], facts["set_aside"]) == (6, 5, {"scenes": 5}, [])
    assert steps == [(i, 16, {}) for i in range(1, 17)]
    names = [path.name for path in picture_files(out / "photos/train")]
    assert names == ["a-0.jpg", "a-1.jpg", "a-2.jpg", "a-3.jpg", "a-4.jpg", "b-0.jpg"]
    assert read_picture(out / "photos/train/a-0.jpg").shape == (48, 60, 3)
    assert read_picture(out / "photos/train/b-0.jpg").shape == (40, 300, 3)  # never scaled up
    assert min(read_picture(out / "photos/test/scenes/0.jpg").shape[:2]) == 64
    frames, twins = picture_files(out / "frames"), picture_files(out / "smooth")
    assert [path.name for path in frames] == [path.name for path in twins]


def test_the_same_pictures_give_the_same_hash_and_others_another(folders):
    first, second = _prepare(folders), _prepare(folders, "again")
    assert first == second
    write_picture(folders / "frames/film/0.png", _picture(999))
    assert _prepare(folders, "changed")["hash"] != first["hash"]


def test_names_that_would_meet_stay_apart(folders):
    write_picture(folders / "photos/train/a-0.png", _picture(60))
    write_picture(folders / "photos/train/a/0.bmp", _picture(61))
    write_picture(folders / "photos/train/A-0.bmp", _picture(62))
    facts = _prepare(folders)
    names = [path.stem.lower() for path in picture_files(folders / "out/photos/train")]
    assert facts["photos"] == len(set(names)) == 9


def test_odd_pictures_are_used_and_bad_ones_set_aside(folders):
    train = folders / "photos/train"
    image = Image.fromarray(_picture(70))
    for mode, suffix in (("L", "png"), ("CMYK", "jpg"), ("P", "png"), ("RGBA", "png"), ("I;16", "png")):
        kind = Image.fromarray(np.full((80, 100), 9000, np.uint16)) if mode == "I;16" else image.convert(mode)
        kind.save(train / f"good-{mode.replace(';', '')}.{suffix}")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(train / "good-turned.jpg", exif=exif)
    write_picture(train / "bad-tiny.png", _picture(71, 31, 500))
    (train / "bad-empty.jpg").touch()
    (train / "bad-text.jpg").write_text("not found")
    (train / "bad-half.png").write_bytes((train / "a/1.png").read_bytes()[:4000])
    (train / "bad-copy.png").write_bytes((folders / "photos/test/scenes/0.png").read_bytes())
    facts = _prepare(folders)
    aside = {entry["file"]: entry["reason"] for entry in facts["set_aside"]}
    assert facts["photos"] == 12
    assert set(aside) == {
        f"photos/train/bad-{name}" for name in ("tiny.png", "empty.jpg", "text.jpg", "half.png", "copy.png")
    }
    assert "500 x 31" in aside["photos/train/bad-tiny.png"]
    assert "test photo" in aside["photos/train/bad-copy.png"]
    assert not any(str(folders) in reason or "\n" in reason for reason in aside.values())
    turned = read_picture(folders / "out/photos/train/good-turned.jpg")
    assert turned.shape[0] > turned.shape[1]


def test_test_photos_without_a_folder_make_one_set(folders):
    for path in picture_files(folders / "photos/test/scenes"):
        path.rename(folders / "photos/test" / path.name)
    (folders / "photos/test/scenes").rmdir()
    assert _prepare(folders)["test"] == {"test": 5}


def test_a_test_set_takes_no_name_that_a_figure_has(folders):
    (folders / "photos/test/scenes").rename(folders / "photos/test/photo")
    with pytest.raises(ValueError, match="test/photo: figures have that name for something else; name the folder"):
        _prepare(folders)


def test_a_test_photo_beside_the_sets_is_not_lost_silently(folders):
    write_picture(folders / "photos/test/stray.png", _picture(80))
    with pytest.raises(ValueError, match=r"stray\.png: put every test photo into a set's folder"):
        _prepare(folders)


@pytest.mark.parametrize("folder", ["photos/train", "photos/test", "frames"])
def test_missing_and_empty_folders_are_named(folders, folder):
    hidden = folders / "away"
    (folders / folder).rename(hidden)
    with pytest.raises(ValueError, match=rf"{folder}: no such folder; put at least \d pictures"):
        _prepare(folders)
    (folders / folder).mkdir()
    with pytest.raises(ValueError, match=rf"{folder}: 0 pictures, at least \d are needed"):
        _prepare(folders)


def test_a_folder_of_broken_pictures_is_named_with_the_first_reason(folders):
    for path in picture_files(folders / "frames")[1:]:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"frames: 1 of 5 pictures are usable.*film/1\.png: not a picture"):
        _prepare(folders)


def test_smoothing_touches_only_the_edges():
    picture = np.full((40, 60, 3), 230, np.uint8)
    picture[:, 30:] = 20
    smooth = smooth_edges(picture)
    zone = slice(27, 33)  # two columns of edge, two more on each side
    assert np.array_equal(np.delete(smooth, zone, axis=1), np.delete(picture, zone, axis=1))
    before, after = (np.abs(np.diff(image.astype(int), axis=1)).max() for image in (picture, smooth))
    assert after < before / 2


def test_smoothing_leaves_gentle_gradients_alone():
    picture = np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], 3, 2).repeat(20, 0)
    assert np.array_equal(smooth_edges(picture), picture)


def test_a_weak_edge_counts_where_it_touches_a_strong_one():
    """Canny's hysteresis: the same faint line is an edge below a strong one, and none by itself."""
    faint = np.full((60, 40, 3), 200, np.uint8)
    faint[:, 20:] -= 40  # Sobel: 4 * 40 = 160, between weak and strong
    joined = faint.copy()
    joined[:10, 20:] = 0
    assert np.array_equal(smooth_edges(faint), faint)
    assert not np.array_equal(smooth_edges(joined)[40:], joined[40:])


@pytest.mark.parametrize(("shape", "short", "expected"), [((100, 300), 50, (50, 150)), ((90, 30), 40, (90, 30))])
def test_scaling_down_never_up(shape, short, expected):
    assert scale_down(_picture(0, *shape), short).shape[:2] == expected


def test_long_names_deep_in_folders_are_shortened_and_stay_apart(folders):
    deep = folders / "photos/train" / ("a" * 100) / ("b" * 100) / ("c" * 100)
    deep.mkdir(parents=True)
    for name in ("deep", "deeper", "é" * 120):
        write_picture(deep / f"{name}.jpg", _picture(len(name)))
    before = _prepare(folders, "first")
    names = [path.name for path in picture_files(folders / "first/photos/train")]
    assert before["set_aside"] == []
    assert sum(name.startswith("aaaa") for name in names) == 3
    assert max(len(name.encode()) for name in names) <= 255
    assert _prepare(folders, "second")["hash"] == before["hash"]


def test_pictures_of_kinds_that_are_not_read_are_named(folders):
    (folders / "photos/train/IMG_1.CR2").write_bytes(bytes(100))
    (folders / "frames/x.psd").write_bytes(bytes(100))
    aside = {entry["file"]: entry["reason"] for entry in _prepare(folders)["set_aside"]}
    assert "raw" in aside["photos/train/IMG_1.CR2"]
    assert "PSD" in aside["frames/x.psd"]
