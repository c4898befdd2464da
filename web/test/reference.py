"""Writes what the tests need: photos, and the Python runtime's picture of each, as `reference.py MODELS OUT`.

OUT/<photo>.png is the photo and OUT/<photo>-<style>.rgba the picture, raw RGBA bytes, so that no decoder can change them.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from anime_model.runtime.stylizer import Stylizer

TURNED = 6  # EXIF: the camera lay on its side


def main(models: Path, out: Path) -> None:
    face = np.ascontiguousarray(data.astronaut()[20:263, 100:401])  # 301x243: neither side is a multiple of 4
    coffee = Image.fromarray(data.coffee()).resize((1500, 1000), Image.Resampling.LANCZOS)  # more than one tile
    photos = {"face": face, "tiny": face[:3, :5], "large": np.asarray(coffee)}
    for name, photo in photos.items():
        Image.fromarray(photo).save(out / f"{name}.png")
        for path in sorted(models.glob("*.onnx")):
            picture = Stylizer(path, threads=1)(photo)
            alpha = np.full_like(picture[..., :1], 255)
            (out / f"{name}-{path.stem}.rgba").write_bytes(np.concatenate([picture, alpha], axis=2).tobytes())
    save_turned(face, out / "turned.jpg")


def save_turned(face: np.ndarray, path: Path) -> None:
    """The face as a camera held sideways stores it: the pixels lie, and the EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = TURNED
    Image.fromarray(np.rot90(face)).save(path, quality=95, exif=exif)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
