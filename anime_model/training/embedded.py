"""Trains the embedded perceptual network from the real ones.

Teachers: VGG-19 (maps up to relu3_1), a VGG-19 of a sixteenth of its size (relu4_1; Wang et al., "Collaborative
Distillation", CVPR 2020), LPIPS with SqueezeNet (distances) and the FID's Inception-v3 (features '768'). Pictures are
Pillow's until they become batches [N, 3, H, W] in [-1, 1]. Nobody who uses the embedded network needs this module.
"""

import random
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.networks.perceptual import Embedded, Vgg19, small
from anime_model.networks.torchvision_ops import ensure_torchvision
from anime_model.pictures.atomic import whole_path
from anime_model.training.distortions import crop, distort, to_batch
from anime_model.training.loop import OnStep, Training, cosine, silent

CROP = 96  # px of the crops for maps and distances
PAIRS = 8  # of crops per step


class SixteenthVgg(nn.Module):
    """relu4_1 of the sixteenth-size VGG-19 in `file`, mapped to VGG-19's 512 channels by its own 1x1 layer."""

    ORDER = ("11", "12", "", "21", "22", "", "31", "32", "33", "34", "", "41")  # "" is a pooling

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tensors = load_file(file)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] in [-1, 1] to [N, 512, H / 8, W / 8]."""
        x = self._apply("conv0", (x + 1) / 2)
        for name in self.ORDER:
            x = F.relu(self._apply(f"conv{name}", F.pad(x, (1, 1, 1, 1), "reflect"))) if name else F.max_pool2d(x, 2)
        return F.relu(self._apply("conv41_aux", x))

    def _apply(self, name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])


class Teachers:
    """The real networks. They come through torch's hub cache (`TORCH_HOME`), but for `sixteenth`, a file."""

    def __init__(self, sixteenth: Path) -> None:
        ensure_torchvision()
        import lpips
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        self.vgg = Vgg19(("relu1_1", "relu2_1", "relu3_1"))
        self.sixteenth = SixteenthVgg(sixteenth)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's own, about how lpips asks for its weights
            self.lpips = lpips.LPIPS(net="squeeze", verbose=False).requires_grad_(False)
        self.inception = FeatureExtractorInceptionV3("inception-v3-compat", ["768"], verbose=False)

    @torch.no_grad()
    def maps(self, x: Tensor) -> dict[str, Tensor]:
        return self.vgg(x) | {"relu4_1": self.sixteenth(x)}

    @torch.no_grad()
    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """LPIPS (squeeze): [N]."""
        return self.lpips(x, y).flatten()

    @torch.no_grad()
    def features(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Inception-v3 features '768' of pictures of any sizes: [N, 768]."""
        arrays = [torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] for picture in pictures]
        return torch.cat([self.inception(array)[0] for array in arrays])


def set_bases(network: Embedded, maps: dict[str, Tensor], seed: int = 0) -> None:
    """Gives the network's maps their meaning: the strongest directions of VGG's `maps` ([N, C, H, W] by layer).

    They are the leading eigenvectors of the second moment over places, turned at random among themselves, so that no
    channel weighs more than another in a loss that takes absolute differences.
    """
    random_source = torch.Generator().manual_seed(seed)
    for name, map in maps.items():
        basis = network.bases[name]
        flat = map.transpose(0, 1).flatten(1).double()
        _, vectors = torch.linalg.eigh(flat @ flat.T)
        width = basis.shape[1]
        turn, _ = torch.linalg.qr(torch.randn(width, width, generator=random_source, dtype=torch.float64))
        basis.data.copy_(vectors[:, -width:] @ turn)


def make_pool(
    photos: Sequence[Image.Image],
    frames: Sequence[Image.Image],
    teachers: Teachers,
    size: int,
    count: int,
    seed: int,
    on_step: OnStep,
) -> dict[str, Tensor]:
    """`count` pictures as the embedding sees them (uint8 [N, 3, size, size]) and their Inception features [N, 768].

    The teacher sees each at its own resolution. A third are frames; four in five are distorted, as what is to be
    judged later is rarely a clean photo.
    """
    rng, pictures, features = random.Random(seed), [], []
    for index in range(count):
        picture = rng.choice(frames if index % 3 == 0 else photos)
        picture = crop(picture, rng.randint(size // 2, size * 8 // 7), rng)
        if index % 5:
            picture = distort(picture, rng, most=2)
        features.append(teachers.features([picture]))
        small = picture.resize((size, size), Image.Resampling.BILINEAR)
        pictures.append(torch.from_numpy(np.array(small)).permute(2, 0, 1))
        if (index + 1) % 100 == 0:
            on_step(index + 1, count, {})
    return {"pictures": torch.stack(pictures), "features": torch.cat(features)}


def saved_pool(file: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The pool in `file`, made and written first where there is none."""
    if not file.exists():
        made = make()
        with whole_path(file) as part:
            save_file(made, part)
    return load_file(file)


def principal(features: Tensor, width: int) -> Tensor:
    """Coordinates [N, width] of features [N, D], centred, in their `width` strongest directions, at their own scale."""
    centred = features.double() - features.double().mean(0)
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    return (centred @ vectors[:, -width:]).float()


class Step:
    """One step of training: pairs of crops for maps and distances, pictures of the pool for the embedding."""

    def __init__(
        self,
        network: Embedded,
        teachers: Teachers,
        pictures: tuple[Sequence[Image.Image], Sequence[Image.Image]],
        pool: dict[str, Tensor],
        steps: int,
        seed: int = 0,
        rate: float = 6e-3,
    ) -> None:
        self.network, self.teachers, self.pictures, self.pool = network, teachers, pictures, pool
        self.steps, self.seed, self.rate = steps, seed, rate
        self.wanted = principal(pool["features"], network.architecture.embedding)
        self.optimizer = torch.optim.Adam(_groups(network), rate)

    def __call__(self, step: int) -> dict[str, Tensor]:
        rng = random.Random(self.seed * 1_000_003 + step)
        a, b = draw_pairs(*self.pictures, rng)
        x = torch.cat([a, b])
        trunk = self.network.trunk(x, edge=True)
        first, second = ({stage: features.chunk(2)[side] for stage, features in trunk.items()} for side in (0, 1))
        losses = {
            **self._maps(self.network.maps_of(trunk), self.teachers.maps(x)),
            "distance": distance_loss(self.network.distance_of(first, second), self.teachers.distance(a, b)),
            "embedding": self._embedding(rng),
        }
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * cosine(step, self.steps, self.rate, warm_up=100, floor=0.01)
        self.optimizer.zero_grad()
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def _maps(self, made: dict[str, Tensor], vgg: dict[str, Tensor]) -> dict[str, Tensor]:
        wanted = {name: self.network.project(name, map) for name, map in vgg.items()}
        return {name: (made[name] - wanted[name]).square().mean() / wanted[name].var() for name in made}

    def _embedding(self, rng: random.Random, count: int = 12) -> Tensor:
        chosen = rng.sample(range(len(self.wanted)), count)
        pictures = self.pool["pictures"][chosen].float() / 127.5 - 1
        pictures = pictures.flip(3) if rng.random() < 0.5 else pictures
        wrong = self.network.embedding(pictures) - self.wanted[chosen]
        return wrong.square().mean() / self.wanted.var(0).mean()


def _groups(network: Embedded) -> list[dict[str, object]]:
    """The embedding's own layers learn at a tenth of the rate: what they aim at is of the order of 0.1."""
    slow = [*network.hidden.parameters(), *network.embed.parameters()]
    known = {id(value) for value in slow}
    others = [value for value in network.parameters() if value.requires_grad and id(value) not in known]
    return [{"params": others, "share": 1.0}, {"params": slow, "share": 0.1}]


def draw_pairs(
    photos: Sequence[Image.Image], frames: Sequence[Image.Image], rng: random.Random
) -> tuple[Tensor, Tensor]:
    """Crops of photos and of frames, three to one, each with its distorted twin; one in eight with a stranger."""
    first = [crop(rng.choice(frames if index % 4 == 0 else photos), CROP, rng) for index in range(PAIRS)]
    second = [distort(picture, rng) for picture in first]
    if rng.random() < PAIRS / 8:
        second[-1] = crop(rng.choice(photos), CROP, rng)
    return to_batch(first), to_batch(second)


def distance_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Squared difference of the roots, so that small distances count too, relative to what it is for a blind guess."""
    return ((made + 1e-6).sqrt() - (wanted + 1e-6).sqrt()).square().mean() / 0.03


def train(
    teachers: Teachers,
    photos: Sequence[Image.Image],
    frames: Sequence[Image.Image],
    training: Training,
    *,
    steps: int,
    pool_size: int,
    on_pool: OnStep = silent,
) -> Embedded:
    """The trained network. A broken run goes on where it stood, from `training.scratch`, to the same weights."""
    torch.manual_seed(training.seed)
    network = Embedded(small()).to(memory_format=torch.channels_last)
    first = [draw_pairs(photos, frames, random.Random(-1 - index))[index % 2] for index in range(8)]
    set_bases(network, teachers.maps(torch.cat(first)), training.seed)
    size = network.architecture.embedding_size
    pool = saved_pool(
        training.scratch / f"pool-{pool_size}.safetensors",
        lambda: make_pool(photos, frames, teachers, size, pool_size, training.seed, on_pool),
    )
    step = Step(network, teachers, (photos, frames), pool, steps, training.seed)
    training.fit(f"perceptual-{steps}", steps, step, {"network": network}, {"adam": step.optimizer})
    refit_embedding(network, pool["pictures"], step.wanted)
    return network


@torch.no_grad()
def refit_embedding(network: Embedded, pictures: Tensor, wanted: Tensor, ridge: float = 0.1) -> None:
    """The best last layer for the trained trunk, in closed form: ridge regression on standardised features.

    `ridge` is relative to the number of pictures; 0.1 was best on a fifth of the pool left out.
    """
    pooled = torch.cat([network.pooled(batch.float() / 127.5 - 1) for batch in pictures.split(64)]).double()
    mean, deviation = pooled.mean(0), pooled.std(0) + 1e-6
    x, centre = (pooled - mean) / deviation, wanted.double().mean(0)
    penalty = ridge * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    weight = torch.linalg.solve(x.T @ x + penalty, x.T @ (wanted.double() - centre)) / deviation[:, None]
    network.embed.weight.copy_(weight.T)
    network.embed.bias.copy_(centre - mean @ weight)
