from pathlib import Path

import numpy as np
from PIL import Image

from anime_model.runtime.names import VARIANTS
from benchmarks.showcase import CELL, GAP, HEAD, LARGE, OF_CAMERA, main, page, photo_files
from tests.tiny_onnx import identity_model


def test_a_page_has_a_column_for_each_entry_and_a_row_for_each_photo():
    red = np.full((48, 64, 3), (255, 0, 0), np.uint8)
    sheet = page({"photo": [red, red], "made": [red, red]})
    assert sheet.size == (2 * (CELL[0] + GAP) - GAP, 2 * (CELL[1] + GAP) - GAP + HEAD)
    assert sheet.getpixel((CELL[0] + GAP + 5, HEAD + CELL[1] + GAP + 5)) == (255, 0, 0)


def test_the_photos_are_those_of_the_installed_packages():
    assert {path.name for path in photo_files()} >= {"astronaut.png", "coffee.png", "china.jpg"}


def test_a_style_without_its_stages_is_in_the_overview_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    for style, variants in (("whole", VARIANTS), ("ends", ("teacher", "int8"))):
        for variant in variants:
            identity_model(tmp_path / "artifacts" / style / "exports" / f"{variant}.onnx")
    monkeypatch.setattr("sys.argv", ["showcase", "whole", "ends"])
    main()
    assert sorted(path.name for path in Path("docs").iterdir()) == ["showcase.jpg", "whole.jpg"]
    with Image.open("docs/showcase.jpg") as overview:
        assert overview.width == 3 * (LARGE[0] + GAP) - GAP


def test_a_large_photo_is_shown_beside_its_drawing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Image.new("RGB", (2000, 1500), (200, 120, 60)).save("camera.png")
    model = identity_model(tmp_path / "same.onnx")
    monkeypatch.setattr("sys.argv", ["showcase", str(model), "--large", "camera.png"])
    main()
    with Image.open("docs/large.jpg") as shown:
        assert shown.size == (2 * (OF_CAMERA[0] + GAP) - GAP, OF_CAMERA[1] + HEAD)
        for column in (0, 1):
            seen = shown.getpixel((column * (OF_CAMERA[0] + GAP) + 300, 300))
            assert np.abs(np.array(seen) - (200, 120, 60)).max() < 4
