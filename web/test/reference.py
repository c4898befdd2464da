"""Writes what the tests need: photos, and the Python runtime's picture of each, as `reference.py MODELS OUT`.

OUT/<photo>.png is the photo and OUT/<photo>-<style>[-<look>].rgba the picture, raw RGBA bytes, so that no decoder can
change them. Every picture goes through the network whole, also those that a tab makes in tiles.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from anime_model.runtime.models import styles
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.stylizer import Look, Stylizer

TURNED = 6  # EXIF: the camera lay on its side
NO_TILES = 10**12  # bytes
LOOKS = {"dusk": {"palette": "dusk"}, "mixed": {"palette": "sakura", "strength": 0.6, "keep_colour": True}}


def main(models: Path, out: Path) -> None:
    face = np.ascontiguousarray(data.astronaut()[20:263, 100:401])  # 301x243: neither side is a multiple of 4
    coffee = Image.fromarray(data.coffee()).resize((1500, 1000), Image.Resampling.LANCZOS)  # more than one tile
    photos = {"face": face, "tiny": face[:3, :5], "small": face[80:125, 100:161], "large": np.asarray(coffee)}
    found = styles(models)
    (out / "styles.json").write_text(json.dumps(list(found)))
    for name, photo in photos.items():
        Image.fromarray(photo).save(out / f"{name}.png")
        for style, path in found.items():
            save(Stylizer(path, 1, NO_TILES)(photo), out / f"{name}-{style}.rgba")
    for look, settings in LOOKS.items():
        save(Stylizer(found["shinkai"], 1)(face, **settings), out / f"face-shinkai-{look}.rgba")
    save_turned(face, out / "turned.jpg")
    save_graded(out)


def save(picture: np.ndarray, path: Path) -> None:
    alpha = np.full_like(picture[..., :1], 255)
    path.write_bytes(np.concatenate([picture, alpha], axis=2).tobytes())


def save_turned(face: np.ndarray, path: Path) -> None:
    """The face as a camera held sideways stores it: the pixels lie, and the EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = TURNED
    Image.fromarray(np.rot90(face)).save(path, quality=95, exif=exif)


def save_graded(out: Path) -> None:
    """Colours of every kind, and what each palette and switch makes of them."""
    photo, anime = np.random.default_rng(0).integers(0, 256, (2, 100, 100, 3), np.uint8)
    save(photo, out / "colours.rgba")
    save(anime, out / "drawn.rgba")
    for palette in (None, *PALETTES):
        for strength in (1.0, 0.35):
            for keep_colour in (False, True):
                made = Look(palette, strength, keep_colour).apply(photo, anime)
                save(made, out / f"graded-{palette or 'none'}-{strength:g}-{str(keep_colour).lower()}.rgba")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
