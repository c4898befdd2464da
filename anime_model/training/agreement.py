"""How well the embedded perceptual network follows the real ones: maps, distances, losses and FID.

Pearson's correlation asks for a straight line between two measures, Spearman's only for the same order.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from scipy.stats import pearsonr, spearmanr
from torch import Tensor, nn

from anime_model.metrics.fid import frechet_and_kernel
from anime_model.networks.perceptual import Embedded
from anime_model.training import distortions
from anime_model.training.distortions import to_batch
from anime_model.training.embedded import Teachers
from anime_model.training.losses import gram

SIZE = 128  # px of the pictures of a pair
FID_SIZE = 256  # px of the pictures of a collection
STYLISED = (
    distortions.smooth,
    distortions.flatten,
    distortions.posterise,
    distortions.cartoonise,
    distortions.ink,
)

Pictures = Sequence[Image.Image]


@torch.no_grad()
def of_maps(network: Embedded, teachers: Teachers, pictures: Pictures) -> dict[str, float]:
    """Pearson correlation, per layer, of VGG's maps with those that the embedded network's maps stand for.

    `<layer>` is over all channels at once, `<layer>_channel` the mean over the channels' own. relu4_1 is compared with
    the sixteenth-size VGG that taught it, as no real one was at hand.
    """
    sums: dict[str, Tensor] = {}
    for picture in pictures:
        x = to_batch([ImageOps.fit(picture, (FID_SIZE, FID_SIZE))])
        real, made = teachers.maps(x), network.expand(network(x))
        for name, wanted in real.items():
            a, b = (maps.transpose(0, 1).flatten(1).double() for maps in (made[name], wanted))
            moments = torch.stack([torch.ones_like(a), a, b, a * a, b * b, a * b]).sum(2)
            sums[name] = sums.get(name, 0) + moments
    found = {name: round(float(_pearson(moments.sum(1))), 4) for name, moments in sums.items()}
    channels = {name: round(float(_pearson(moments).nanmean()), 4) for name, moments in sums.items()}
    return found | {f"{name}_channel": value for name, value in channels.items()}


def _pearson(moments: Tensor) -> Tensor:
    """From count and sums of a, b, aa, bb, ab; not a number where a or b never changes."""
    mean_a, mean_b, mean_aa, mean_bb, mean_ab = moments[1:] / moments[0]
    return (mean_ab - mean_a * mean_b) / ((mean_aa - mean_a**2) * (mean_bb - mean_b**2)).sqrt()


def distorted_pairs(pictures: Pictures, each: int = 4, seed: int = 0) -> list[tuple[Image.Image, Image.Image]]:
    """Each picture `each` times beside itself after one to three distortions of any kind and strength."""
    rng = random.Random(seed)
    fitted = [ImageOps.fit(picture, (SIZE, SIZE)) for picture in pictures for _ in range(each)]
    return [(picture, distortions.distort(picture, rng)) for picture in fitted]


def stylised_pairs(pictures: Pictures, seed: int = 0) -> list[tuple[Image.Image, Image.Image]]:
    """Each picture beside itself smoothed, flattened, with few colours, cartoonised and inked, of any strength."""
    rng = random.Random(seed)
    fitted = [ImageOps.fit(picture, (SIZE, SIZE)) for picture in pictures]
    return [(picture, change(picture, rng.random(), rng)) for picture in fitted for change in STYLISED]


@torch.no_grad()
def of_distances(
    network: Embedded, teachers: Teachers, pairs: Sequence[tuple[Image.Image, Image.Image]]
) -> dict[str, float]:
    """LPIPS (squeeze) and VGG content and Gram losses over the pairs, each against its embedded twin.

    `rmse_spearman`, the order that plain pixel differences give, says what a network adds.
    """
    columns: dict[str, list[Tensor]] = {}
    for start in range(0, len(pairs), 8):
        x, y = (to_batch(side) for side in zip(*pairs[start : start + 8], strict=True))
        row = {"lpips": teachers.distance(x, y), "embedded": network.distance(x, y)}
        row["rmse"] = (x - y).square().mean((1, 2, 3)).sqrt()
        row |= _losses("real", teachers.maps(x), teachers.maps(y)) | _losses("made", network(x), network(y))
        for key, value in row.items():
            columns.setdefault(key, []).append(value)
    values = {key: torch.cat(parts).numpy() for key, parts in columns.items()}
    return _compare(values) | {"pairs": len(pairs)}


def _losses(side: str, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Content and style losses of each pair, per layer: [N]."""
    found = {}
    for name in a:
        found[f"{side}_content_{name}"] = (a[name] - b[name]).abs().mean((1, 2, 3))
        wanted = gram(a[name])
        found[f"{side}_style_{name}"] = (gram(b[name]) - wanted).abs().sum((1, 2)) / wanted.abs().sum((1, 2))
    return found


def _compare(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    found = {
        "pearson": pearsonr(values["embedded"], values["lpips"])[0],
        "spearman": spearmanr(values["embedded"], values["lpips"])[0],
        "rmse_spearman": spearmanr(values["rmse"], values["lpips"])[0],
        "mean_embedded": values["embedded"].mean(),
        "mean_lpips": values["lpips"].mean(),
    }
    for key in (key.removeprefix("real_") for key in values if key.startswith("real_")):
        found[f"{key}_spearman"] = spearmanr(values[f"made_{key}"], values[f"real_{key}"])[0]
    return {key: round(float(value), 4) for key, value in found.items()}


def collections(photos: Pictures, others: Mapping[str, Pictures], seed: int = 0) -> dict[str, list[Image.Image]]:
    """The photos after each distortion at half strength, some also weaker or stronger, and the `others` as they are."""
    rng = random.Random(seed)
    fitted = [ImageOps.fit(photo, (FID_SIZE, FID_SIZE)) for photo in photos]
    found = {name: [ImageOps.fit(other, (FID_SIZE, FID_SIZE)) for other in set_] for name, set_ in others.items()}
    changes = [(change, 0.5) for change in distortions.DISTORTIONS]
    changes += [(distortions.blur, 0.1), (distortions.noise, 0.15), (distortions.cartoonise, 0.1)]
    for change, strength in changes:
        found[f"{change.__name__} {strength}"] = [change(photo, strength, rng) for photo in fitted]
    return found


@torch.no_grad()
def of_fid(
    network: Embedded,
    teachers: Teachers,
    photos: Pictures,
    collected: Mapping[str, Pictures],
    on_set: Callable[[str, dict[str, float]], None],
) -> dict[str, object]:
    """FID of each collection against the photos, by the embedding and by Inception '768', and how they order them."""
    fitted = [ImageOps.fit(photo, (FID_SIZE, FID_SIZE)) for photo in photos]
    extractors = {
        "embedded": lambda picture: network.embedding(to_batch([picture])),
        "768": lambda picture: teachers.features([picture]),
    }
    real = {name: torch.cat([extract(photo) for photo in fitted]) for name, extract in extractors.items()}
    found: dict[str, dict[str, float]] = {}
    for label, pictures in collected.items():
        fake = {name: torch.cat([extract(picture) for picture in pictures]) for name, extract in extractors.items()}
        fids = {name: float(frechet_and_kernel(fake[name], real[name], name)["fid"]) for name in extractors}
        found[label] = {name: round(fid, 4) for name, fid in fids.items()}
        on_set(label, found[label])
    embedded, inception = ([row[name] for row in found.values()] for name in ("embedded", "768"))
    return {
        "spearman": round(float(spearmanr(embedded, inception)[0]), 4),
        "pearson": round(float(pearsonr(embedded, inception)[0]), 4),
        "photos": len(photos),
        "sets": found,
    }


def cost(network: nn.Module, size: int = 128, batch: int = 8, repeats: int = 12) -> dict[str, float]:
    """Milliseconds, the best of `repeats`, of the maps of a batch and of their gradient back to the pictures."""
    x = torch.rand(batch, 3, size, size).requires_grad_()
    forward, both = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        total = torch.stack([maps.mean() for maps in network(x).values()]).sum()
        forward.append(time.perf_counter() - start)
        total.backward()
        both.append(time.perf_counter() - start)
    return {"forward_ms": round(min(forward) * 1e3, 2), "with_gradient_ms": round(min(both) * 1e3, 2)}
