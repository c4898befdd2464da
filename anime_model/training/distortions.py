"""Pictures for training and judging the perceptual network: crops, and what may happen to a picture.

Pictures are Pillow's, in RGB. A distortion takes a picture, a strength in [0, 1] and a source of chance, and gives a
picture of the same size; the same chance gives the same picture.
"""

import io
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps
from torch import Tensor

from anime_model.networks.perceptual import PerceptualError

SHORT_SIDE = 288  # px of the pictures kept in memory


def load_pictures(folder: Path, short_side: int = SHORT_SIDE) -> list[Image.Image]:
    """Every .jpg and .png below `folder`, by name, decoded once, short side at most `short_side` px."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise PerceptualError(f"{folder}: no .jpg or .png picture in it")
    return [_read(file, short_side) for file in files]


def _read(file: Path, short_side: int) -> Image.Image:
    picture = Image.open(file).convert("RGB")
    scale = short_side / min(picture.size)
    return (
        picture
        if scale >= 1
        else picture.resize([round(side * scale) for side in picture.size], Image.Resampling.LANCZOS)
    )


def to_batch(pictures: Sequence[Image.Image]) -> Tensor:
    """Pictures of one size as [N, 3, H, W] in [-1, 1]."""
    array = np.stack([np.asarray(picture) for picture in pictures])
    return torch.from_numpy(array).permute(0, 3, 1, 2).float() / 127.5 - 1


def crop(picture: Image.Image, size: int, rng: random.Random) -> Image.Image:
    """A random square of the picture, of any scale down to 1:1, mirrored half of the time, as `size` x `size`."""
    side = min(*picture.size, round(size * rng.uniform(1, 2.2)))
    left, top = (rng.randint(0, length - side) for length in picture.size)
    square = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.LANCZOS)
    return ImageOps.mirror(square) if rng.random() < 0.5 else square


def blur(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(0.3 + 3.5 * strength))


def noise(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    array = np.asarray(picture, np.float32)
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, 2 + 45 * strength, array.shape)
    return Image.fromarray((array + grain).clip(0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=round(70 - 65 * strength))
    return Image.open(file).convert("RGB")


def posterise(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    return picture.quantize(round(4 + 60 * (1 - strength) ** 2)).convert("RGB")


def colours(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    for enhance in (ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast):
        picture = enhance(picture).enhance(1 + strength * rng.uniform(-0.9, 0.9))
    gains = [1 + strength * rng.uniform(-0.35, 0.35) for _ in range(3)]
    return Image.fromarray((np.asarray(picture) * gains).clip(0, 255).astype(np.uint8))


def shift(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    reach = 1 + round(7 * strength)
    return ImageChops.offset(picture, rng.randint(-reach, reach), rng.randint(-reach, reach))


def warp(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    width, height = picture.size
    a, b, c, d = (strength * rng.uniform(-0.15, 0.15) for _ in range(4))
    matrix = (1 + a, b, -(a * width + b * height) / 2, c, 1 + d, -(c * width + d * height) / 2)
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def shrink(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    small_size = [max(8, round(side / (1.3 + 5 * strength))) for side in picture.size]
    return picture.resize(small_size, Image.Resampling.BILINEAR).resize(
        picture.size, rng.choice((Image.Resampling.NEAREST, Image.Resampling.BICUBIC))
    )


def flatten(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Flat patches of colour, as paint: the commonest colour around each place."""
    return picture.filter(ImageFilter.ModeFilter(3 + 2 * round(4 * strength)))


def smooth(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.MedianFilter(3 + 2 * round(2 * strength)))


def ink(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Dark outlines where the luma has edges."""
    edges = ImageOps.invert(picture.convert("L").filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES))
    lines = edges.point(lambda value: max(0, 255 - round((255 - value) * (1 + 6 * strength))))
    return ImageChops.multiply(picture, lines.convert("RGB"))


def cartoonise(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    """Median, few colours, brighter and more saturated, ink outlines: what a cel drawing does to a photo."""
    flat = picture.filter(ImageFilter.MedianFilter(3 + 2 * round(2 * strength)))
    flat = flat.quantize(round(48 - 36 * strength)).convert("RGB")
    vivid = ImageEnhance.Color(ImageEnhance.Brightness(flat).enhance(1 + 0.2 * strength)).enhance(1 + 0.6 * strength)
    return ink(vivid, strength * rng.uniform(0.3, 1), rng)


def sharpen(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    return picture.filter(ImageFilter.UnsharpMask(2, round(50 + 350 * strength), 0))


def grey(picture: Image.Image, strength: float, rng: random.Random) -> Image.Image:
    return ImageEnhance.Color(picture).enhance(1 - strength)


DISTORTIONS = (
    blur, noise, jpeg, posterise, colours, shift, warp, shrink, flatten, smooth, ink, cartoonise, sharpen, grey
)  # fmt: skip


def distort(picture: Image.Image, rng: random.Random, most: int = 3) -> Image.Image:
    """One to `most` distortions of random strength, one after the other."""
    for change in rng.sample(DISTORTIONS, rng.randint(1, most)):
        picture = change(picture, rng.random() ** 1.5, rng)
    return picture
