"""Contact sheets of pictures that may be shown: photos that ship with scikit-image and scikit-learn.

`python -m benchmarks.showcase STYLE...` writes docs/showcase.jpg (a few photos, large, as every style's lite network
draws them) and docs/STYLE.jpg (every stage, where all of them are there) from artifacts/STYLE/exports. The photos
are free to show: astronaut (NASA, public domain), coffee, cat and rocket (CC0), China and flower (CC BY 2.0, by
danielbuechele and dany13 on Flickr).

`--large PHOTO` writes docs/large.jpg: a photo of a camera, and how a style that ships draws it at its full size.
"Picos de Europa" is by Aitzol Berasategi (CC BY 4.0), of Debian's package lomiri-wallpapers-16.04.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from anime_model.pictures.arrays import read_picture
from anime_model.runtime.names import LITE, VARIANTS
from anime_model.runtime.stylizer import Stylizer

PHOTOS = {
    "skimage": ("data/astronaut.png", "data/coffee.png", "data/chelsea.png", "data/rocket.jpg"),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
DOCS = Path("docs")
CELL = (300, 225)
LARGE = (480, 360)  # in the overview, which is looked at for a few seconds
SHOWN = (0, 4, 2)  # of the photos, in the overview: a face, a scene, fur
OF_CAMERA = (720, 540)
GAP, HEAD = 4, 26


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.showcase", description=__doc__.splitlines()[0])
    parser.add_argument("styles", nargs="+")
    parser.add_argument("--large", type=Path, metavar="PHOTO", help="that the first style draws, as it ships")
    options = parser.parse_args()
    if options.large:
        return large(options.large, options.styles[0])
    overview_of(options.styles)


def large(file: Path, style: str) -> None:
    photo = read_picture(file)
    page({"photo": [photo], style: [Stylizer(style)(photo)]}, OF_CAMERA).save(DOCS / "large.jpg", quality=88)
    print("wrote docs/large.jpg")


def overview_of(styles: list[str]) -> None:
    photos = {"photo": fitted_photos()}
    shown = [place for place in SHOWN if place < len(photos["photo"])]
    overview = {"photo": [photos["photo"][place] for place in shown]}
    for style in styles:
        there = [variant for variant in VARIANTS if variant == LITE or exported(style, variant).exists()]
        made = {variant: stylized(style, variant, photos["photo"]) for variant in there}
        if len(made) == len(VARIANTS):
            page(photos | made).save(DOCS / f"{style}.jpg", quality=85)
            print(f"wrote docs/{style}.jpg")
        overview[style] = [made[LITE][place] for place in shown]
    page(overview, LARGE).save(DOCS / "showcase.jpg", quality=88)
    print("wrote docs/showcase.jpg")


def fitted_photos() -> list[np.ndarray]:
    """The photos that are installed, each [480, 640, 3]."""
    fitted = [ImageOps.fit(Image.fromarray(read_picture(file)), (640, 480)) for file in photo_files()]
    return [np.asarray(photo) for photo in fitted]


def stylized(style: str, variant: str, photos: list[np.ndarray]) -> list[np.ndarray]:
    stylize = Stylizer(exported(style, variant))
    return [stylize(photo) for photo in photos]


def exported(style: str, variant: str) -> Path:
    return Path("artifacts", style, "exports", f"{variant}.onnx")


def photo_files() -> list[Path]:
    """The photos that are installed."""
    found = []
    for package, names in PHOTOS.items():
        spec = find_spec(package)
        found += [path for name in names if spec and (path := Path(spec.origin).parent / name).exists()]
    return found


def page(columns: dict[str, list[np.ndarray]], cell_size: tuple[int, int] = CELL) -> Image.Image:
    """One column for every entry, its name on top; one row a photo."""
    rows = max(map(len, columns.values()))
    width, height = cell_size[0] + GAP, cell_size[1] + GAP
    sheet = Image.new("RGB", (len(columns) * width - GAP, rows * height - GAP + HEAD), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for column, (name, pictures) in enumerate(columns.items()):
        pen.text((column * width + cell_size[0] // 2, HEAD // 2), name, "#444", font, anchor="mm")
        for row, picture in enumerate(pictures):
            cell = Image.fromarray(picture).resize(cell_size, Image.Resampling.LANCZOS)
            sheet.paste(cell, (column * width, row * height + HEAD))
    return sheet


if __name__ == "__main__":
    main()
