import numpy as np

from benchmarks.showcase import CELL, GAP, HEAD, page, photo_files


def test_a_page_has_a_column_for_each_entry_and_a_row_for_each_photo():
    red = np.full((48, 64, 3), (255, 0, 0), np.uint8)
    sheet = page({"photo": [red, red], "made": [red, red]})
    assert sheet.size == (2 * (CELL[0] + GAP) - GAP, 2 * (CELL[1] + GAP) - GAP + HEAD)
    assert sheet.getpixel((CELL[0] + GAP + 5, HEAD + CELL[1] + GAP + 5)) == (255, 0, 0)


def test_the_photos_are_those_of_the_installed_packages():
    assert {path.name for path in photo_files()} >= {"astronaut.png", "coffee.png", "china.jpg"}
