"""Learning another network's pictures for some seconds: how near two pictures are, and a loop that the clock ends.

A machine that is lent for minutes gives no time to count steps: the learning rate follows the clock.
"""

import copy
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.training import losses
from anime_model.training.loop import Scalars, TrainingError, check_finite, cosine, set_rate, update_average
from anime_model.training.losses import Made
from anime_model.training.views import Views, random_part

Pair = tuple[Tensor, Tensor]  # photos and wanted pictures, [N, 3, H, W] in [-1, 1]
WHOLE = 576  # pixels a side of the largest picture that is drawn whole for a pool
MAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")  # of the perceptual network, for `PictureLoss`
WARM_UP = 50  # steps in which the rate rises


@dataclass(frozen=True)
class Nearness:
    """Weights of the parts of `PictureLoss`."""

    pixel: float = 4.0
    content: float = 1.0
    direction: float = 1.5
    style: float = 0.3
    edges: float = 2.0
    colour: float = 4.0


class PictureLoss(nn.Module):
    """How far made pictures are from the wanted ones, for a perceptual network that gives maps by name.

    `pixel`: L1. `content`: L1 of the maps over the wanted maps' own size. `direction`: squared distance of the maps
    with unit length over channels, as LPIPS has it (Zhang et al., CVPR 2018), all channels alike. `style`: paired Gram
    matrices. The first map, at full resolution, is left out of these two: it costs as much as all others together.
    `edges`: L1 of the differences between neighbours, which sees a line that is soft or has teeth. `colour`: L1 of the
    means over squares of 8 pixels, which sees a tint that is small in each pixel and wide.
    """

    def __init__(self, perceptual: nn.Module, weights: Nearness | None = None) -> None:
        super().__init__()
        self.perceptual, self.weights = perceptual, weights or Nearness()

    @torch.no_grad()
    def targets(self, wanted: Tensor) -> losses.Maps:
        """The wanted pictures' maps, for more than one comparison with them."""
        return self.perceptual(wanted)

    def forward(self, made: Tensor, wanted: Tensor, targets: losses.Maps | None = None) -> Made:
        """The weighted sum, a scalar, and its parts without their weights."""
        targets = self.targets(wanted) if targets is None else targets
        maps = self.perceptual(made)
        deep = list(maps)[1:] or list(maps)
        parts = {
            "pixel": F.l1_loss(made, wanted),
            "content": torch.stack([_relative_l1(maps[name], targets[name]) for name in maps]).mean(),
            "direction": torch.stack([_apart(maps[name], targets[name]) for name in deep]).mean(),
            "style": losses.style_paired(maps, targets, tuple(deep[:2])),
            "edges": losses.edges(made, wanted),
            "colour": losses.tint(made, wanted),
        }
        total = torch.stack([getattr(self.weights, name) * value.float() for name, value in parts.items()]).sum()
        return total, parts


def _relative_l1(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().mean(dtype=torch.float32) / wanted.abs().mean(dtype=torch.float32).clamp_min(1e-6)


def _apart(made: Tensor, wanted: Tensor) -> Tensor:
    return (_unit(made.float()) - _unit(wanted.float())).square().sum(1).mean()


def _unit(maps: Tensor) -> Tensor:
    return maps * torch.rsqrt(maps.square().sum(1, keepdim=True) + 1e-6)


@dataclass
class Learner:
    """A network that trains, the average of its weights, and what is told on the way.

    `step()` gives a loss and its parts; `on_row(seconds, row)` hears of them every `log_every` steps, and
    `on_save(average)` every `save_every` seconds.
    """

    network: nn.Module
    step: Callable[[float], Made]
    rate: float
    decay: float = 0.998
    log_every: int = 100
    save_every: float = 60.0
    extra: tuple[nn.Parameter, ...] = ()
    on_row: Callable[[float, Scalars], None] = lambda seconds, row: None
    on_save: Callable[[nn.Module], None] = lambda average: None
    average: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.network).requires_grad_(False)

    def run(self, seconds: float, before: float = 0.0) -> nn.Module:
        """Trains for `seconds` and returns the average of the weights. Raises `TrainingError` when it diverges.

        `before` are seconds of a training that was broken off: the rate falls on from where it was, over all of them.
        """
        parameters = [p for p in (*self.network.parameters(), *self.extra) if p.requires_grad]
        optimizer = torch.optim.Adam(parameters, self.rate, (0.9, 0.99))
        begin = saved = time.monotonic()
        step, since = 0, []
        while (spent := time.monotonic() - begin) < seconds:
            done = (before + spent) / (before + seconds)
            set_rate(optimizer, self._rate(done) * min(1, (step + 1) / WARM_UP))
            loss, parts = self.step(done)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            update_average(self.average, self.network, step, self.decay)
            step += 1
            since.append(torch.stack([loss.detach(), *(part.detach() for part in parts.values())]))
            if step % self.log_every == 0:
                self._tell(spent, step, dict(zip(("loss", *parts), torch.stack(since).mean(0).tolist(), strict=True)))
                since.clear()
            if time.monotonic() - saved > self.save_every:
                saved = time.monotonic()
                self._save(step)
        self._save(step)
        return self.average

    def _save(self, step: int) -> None:
        """Weights that are no numbers are not saved: the last ones before may be hours of work."""
        check_finite({"average": self.average}, f"step {step}")
        self.on_save(self.average)

    def _rate(self, done: float) -> float:
        return cosine(round(done * 10_000), 10_000, self.rate)

    def _tell(self, spent: float, step: int, means: dict[str, float]) -> None:
        """Means of the steps since the last row: single batches differ by a fifth."""
        if not all(map(math.isfinite, means.values())):
            raise TrainingError(f"the loss is not finite at step {step}; lower the learning rate")
        self.on_row(spent, {"step": step} | means)


class Pool:
    """Pairs that were drawn before, renewed a few at a time: where a target costs more than a step of the student."""

    def __init__(self, draw: Callable[[], Pair], size: int, first: int, renew: int, focus: float = 0.0) -> None:
        """`draw` makes one pair [1, 3, H, W]; `first` are made at once, `renew` more before every tenth batch.

        Pairs may differ in size; batches are cut out of them: a share `focus` of their parts from where shapes change.
        """
        self._draw, self.size, self.renew, self.focus = draw, size, renew, focus
        self._pairs: list[Tensor] = []  # each [2, 3, H, W]
        self._changes: list[Tensor] = []  # of each pair, where there is a focus
        self._batches = 0
        self._add(first)

    def __len__(self) -> int:
        return len(self._pairs)

    def _add(self, count: int) -> None:
        for _ in range(count):
            photo, wanted = self._draw()
            self._pairs.append(_levels(torch.cat([photo, wanted])))
            if self.focus:
                self._changes.append(changed_shapes(photo[0], wanted[0]))
        for kept in (self._pairs, self._changes):
            del kept[: max(0, len(kept) - self.size)]

    def _count_batch(self) -> None:
        if self._batches % 10 == 9:
            self._add(self.renew)
        self._batches += 1

    def batch(self, count: int, crop: int) -> Pair:
        """Random parts of random pairs, mirrored half of the time: two [count, 3, crop, crop] in [-1, 1]."""
        self._count_batch()
        chosen = torch.randint(len(self._pairs), (count,)).tolist()
        parts = [self._part(place, crop) for place in chosen]
        photo, wanted = torch.stack(parts, 1).float() / 127.5 - 1
        return (photo.flip(3), wanted.flip(3)) if torch.rand(()) < 0.5 else (photo, wanted)

    def _part(self, place: int, crop: int) -> Tensor:
        pair = self._pairs[place]
        if torch.rand(()) >= self.focus:
            return random_part(pair, crop, crop)
        changes = self._changes[place]
        rows, columns = changes.shape
        row, column = divmod(int(torch.multinomial(changes.flatten() + 1e-9, 1)), columns)
        middles = (row + 0.5) / rows * pair.shape[2], (column + 0.5) / columns * pair.shape[3]
        top, left = (
            min(max(0, round(middle + random.uniform(-crop, crop) / 4 - crop / 2)), side - crop)
            for middle, side in zip(middles, pair.shape[2:], strict=True)
        )
        return pair[..., top : top + crop, left : left + crop]

    def whole(self) -> Pair:
        """One random pair as it is, mirrored half of the time: [1, 3, H, W] in [-1, 1]."""
        self._count_batch()
        pair = self._pairs[int(torch.randint(len(self._pairs), ()))]
        pair = pair.flip(3) if torch.rand(()) < 0.5 else pair
        return tuple((pair[:, None].float() / 127.5 - 1).unbind())


def changed_shapes(photo: Tensor, made: Tensor) -> Tensor:
    """How much a network moved shapes in each square of 16 pixels: [H // 16, W // 16], of pictures [3, H, W].

    The mean square of what it added to the photo's grey, without what it added to squares of 8 times that side: a tint
    is no shape. Squared again, so that a part which moves as much as eyes do outweighs the many that move a little.
    """
    added = (made - photo).mean(0)[None, None]
    coarse = F.avg_pool2d(added, 8, ceil_mode=True)
    ground = F.avg_pool2d(coarse, 15, 1, 7, count_include_pad=False)
    return F.avg_pool2d((coarse - ground).square(), 2)[0, 0].square()


def pooled_pairs(
    views: Views,
    wanted: Callable[[Tensor], Tensor],
    size: int,
    batch: int,
    crop: int,
    whole: bool = False,
    seen: Callable[[Tensor, Tensor], Tensor] = lambda photo, pick: photo,
    focus: float = 0.0,
) -> Callable[[], Pair]:
    """Batches of `batch` parts of `crop` pixels out of a pool of `size` whole views and what they become.

    `seen` makes of views, and their photos' places in `views.pictures`, what `wanted` gets.

    `whole` gives one whole view at a time, sides from `crop` to `WHOLE`, for a network whose norms see the whole
    picture: of a part it would make another picture than of the whole that the target was drawn from.

    A share `focus` of the parts lies where `wanted` changes shapes (`changed_shapes`): eyes are a hundredth of a photo.
    """

    def draw() -> Pair:
        pick = views.pick(1)
        photo = views.whole(int(pick), crop, WHOLE)
        return photo, wanted(seen(photo, pick))

    pool = Pool(draw, size, max(1, size // 4), renew=1, focus=focus)

    def pairs() -> Pair:
        pair = pool.whole() if whole else pool.batch(batch, crop)
        photo, made = (side.contiguous(memory_format=torch.channels_last) for side in pair)
        return photo, made

    return pairs


def _levels(picture: Tensor) -> Tensor:
    """uint8 holds a pool of thousands in a gigabyte."""
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
