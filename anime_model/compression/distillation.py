"""Distillation: a student learns to make the pictures of a frozen teacher."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from anime_model.compression.norms import batch_norms
from anime_model.metrics.fidelity import psnr
from anime_model.networks.generator import Generator
from anime_model.recipes.distillation import DistillSettings
from anime_model.training import losses
from anime_model.training.critic import Critic
from anime_model.training.data import Pictures, Sampler
from anime_model.training.drawn import Drawings, DrawnSampler
from anime_model.training.gate_cost import GateCost
from anime_model.training.loop import Scalars, Training, cosine, set_rate
from anime_model.training.together import mean_over_processes, shared_norms

HINTS = ("b", "c", "d")  # blocks whose maps the student is led to match
FITTED = 8  # photos that the adapters are fitted to
RIDGE = 1e-4  # of the inputs' mean square


@dataclass(frozen=True)
class Lesson:
    """What a student learns from: the teacher, the photos and the network that compares pictures.

    `drawings` are a published network's own pictures of the photos, where the student may look at them.
    """

    teacher: Generator
    photos: Pictures
    perceptual: nn.Module
    drawings: Drawings | None = None


class Adapters(nn.ModuleDict):
    """1x1 convolutions from the student's maps to the teacher's channels (FitNets); dropped after training."""

    def __init__(self, student: Generator, teacher: Generator) -> None:
        widths = {name: (block_width(student, name), block_width(teacher, name)) for name in HINTS}
        super().__init__({name: nn.Conv2d(inputs, outputs, 1) for name, (inputs, outputs) in widths.items()})

    @torch.no_grad()
    def fit(self, student: Generator, teacher: Generator, photos: Tensor) -> None:
        """Sets each convolution to the least-squares map from the student's channels to the teacher's, in place.

        From random weights they lead the student astray until they are trained, as long as a short phase lasts.
        """
        given, wanted = student.features(photos), teacher.features(photos)
        for name, conv in self.items():
            inputs, outputs = (maps[name].transpose(0, 1).flatten(1) for maps in (given, wanted))
            inputs = torch.cat([inputs, torch.ones_like(inputs[:1])])
            squares, products = (inputs @ inputs.T).cpu().double(), (inputs @ outputs.T).cpu().double()
            squares += RIDGE * squares.diagonal().mean() * torch.eye(len(squares))
            solved = torch.linalg.solve(squares, products).T.to(conv.weight)
            conv.weight.copy_(solved[:, :-1, None, None])
            conv.bias.copy_(solved[:, -1])

    def forward(self, maps: losses.Maps) -> losses.Maps:
        return {name: adapter(maps[name]) for name, adapter in self.items()}


def block_width(generator: Generator, letter: str) -> int:
    """Channels that leave block `letter`."""
    return generator.arch.layers[generator.arch.block(letter)[-1]].width


def distill(
    name: str,
    student: Generator,
    lesson: Lesson,
    settings: DistillSettings,
    training: Training,
    extra_loss: Callable[[Generator], Tensor] | None = None,
) -> list[Scalars]:
    """Trains `student` in place on random crops of the photos and returns the curve, PSNR to the teacher included.

    `extra_loss` of the student is added to the total (a sparsity penalty, say). The teacher runs as it was given.
    """
    torch.manual_seed(training.seed)
    learner = _DistillationStep(student, lesson, settings, training, extra_loss)
    student.train()
    if settings.freeze_norm:
        freeze_norms(student)
    with shared_norms(student):
        curve = training.fit(name, settings.steps, learner.step, learner.modules(), learner.optimizers())
    if learner.gate:
        learner.gate.release()
    student.to(memory_format=torch.contiguous_format).eval()  # as surgery expects it
    return curve


def freeze_norms(student: nn.Module) -> None:
    """Batch norms keep their statistics, their scales and shifts go on learning.

    With statistics of the batch at hand, few large pictures at a time, a student would learn to lean on a normalisation
    that it does not have afterwards; it is the last phase of training that matters.
    """
    for norm in batch_norms(student):
        norm.eval()


def feature_matching(hints: losses.Maps, wanted: losses.Maps) -> Tensor:
    """Squared distance of the adapted maps to the teacher's over the teacher's own, mean over the hinted blocks."""
    return torch.stack([losses.relative_l2(hints[name], wanted[name]) for name in HINTS]).mean()


def with_kl(
    others: Tensor, hints: losses.Maps, wanted: losses.Maps, share: float, temperature: float
) -> tuple[Tensor, Tensor]:
    """Adds the KL term, scaled so that it makes `share` of the total, and measures the share that it makes."""
    if not share:
        return others, torch.zeros(())
    kl = torch.stack([losses.channel_kl(hints[name], wanted[name], temperature) for name in HINTS]).mean()
    sizes = mean_over_processes(torch.stack([others, kl]).detach())
    factor = share / (1 - share) * sizes[0] / sizes[1].clamp_min(1e-8)
    return others + kl * factor, sizes[1] * factor / (sizes[0] + sizes[1] * factor)


class _DistillationStep:
    def __init__(
        self,
        student: Generator,
        lesson: Lesson,
        settings: DistillSettings,
        training: Training,
        extra_loss: Callable[[Generator], Tensor] | None,
    ) -> None:
        device = training.device
        self.settings, self.fabric, self.extra_loss = settings, training.fabric, extra_loss
        taught = _StudentWithAdapters(student, Adapters(student, lesson.teacher))
        # DDP waits for the gradients of all that can have some, those of adapters that no loss asks for too
        taught.adapters.requires_grad_(bool(settings.kl_share or self._weight("feature")))
        self.plain = taught.to(device, memory_format=torch.channels_last)
        self.teacher = lesson.teacher.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
        taught.adapters.fit(student.eval(), self.teacher, lesson.photos.fixed(FITTED, settings.crop))
        parameters = [parameter for parameter in self.plain.parameters() if parameter.requires_grad]
        self.taught, self.optimizer = training.fabric.setup(
            self.plain, torch.optim.Adam(parameters, settings.rate, (0.9, 0.99))
        )
        self.critic = Critic(settings.critic, device, fabric=training.fabric) if settings.critic else None
        gated = self._weight("gate") and student.arch.detail == "gated"
        self.gate = GateCost(self._weight("gate"), student) if gated else None
        self.perceptual = lesson.perceptual.to(device)
        self.teach = self.teacher.features
        if settings.compile:
            self.taught, self.teach = torch.compile(self.taught), torch.compile(self.teach)
        rank = training.fabric.global_rank
        self.photos = Sampler(lesson.photos, settings.batch, settings.crop, training.seed, 0, rank)
        self.pairs = None
        if lesson.drawings and settings.reference_share:
            self.pairs = DrawnSampler(
                lesson.drawings, settings.batch, (settings.crop,), settings.steps, training.seed, rank
            )

    def modules(self) -> dict[str, nn.Module]:
        return {"student": self.plain} | ({"critic": self.critic.network} if self.critic else {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"student": self.optimizer} | ({"critic": self.critic.optimizer} if self.critic else {})

    def step(self, step: int) -> dict[str, Tensor]:
        set_rate(self.optimizer, cosine(step, self.settings.steps, self.settings.rate))
        photo, drawn = self.pairs(step) if self.pairs else (self.photos(step), None)
        with torch.no_grad(), self.fabric.autocast():
            wanted = {key: value.float() for key, value in self.teach(photo).items()}
        wanted["target"] = wanted["anime"] if drawn is None else self._shared(step, drawn, wanted["anime"])
        made, hints = self.taught(photo)
        others, parts = self._picture(made, wanted["target"])
        if self._weight("feature"):
            parts["feature"] = feature_matching(hints, wanted)
            others = others + self._weight("feature") * parts["feature"]
        if self.gate:
            others, parts = self.gate.added(others, parts)
        if self.extra_loss:
            parts["extra"] = self.extra_loss(self.plain.student)
            others = others + parts["extra"]
        total, parts["kl_share"] = with_kl(others, hints, wanted, self.settings.kl_share, self.settings.temperature)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        self.optimizer.step()
        parts |= {"loss": total, "psnr": psnr(made.detach(), wanted["anime"]).clamp(max=100)}
        return {key: value.detach() for key, value in parts.items()}

    def _shared(self, step: int, drawn: Tensor, anime: Tensor) -> Tensor:
        """The teacher's pictures, `reference_share` of them, drawn by lot, replaced by the published network's own."""
        draw, count = np.random.default_rng([self.photos.seed, 8, 0, step]), len(anime)
        lots = draw.random((self.photos.rank + 1) * count)[-count:]  # of all processes' pictures, those of this one
        chosen = torch.from_numpy(lots < self.settings.reference_share).to(anime.device)
        return torch.where(chosen[:, None, None, None], drawn, anime)

    def _picture(self, made: Tensor, target: Tensor) -> losses.Made:
        """The weighted distances of the pictures, with the critic's turn of their gradient if there is one."""
        if not self.critic:
            return self._distance(made, target)
        unsure = self.critic.learn(made, target)
        total, parts = self.critic.with_share(made, lambda picture: self._distance(picture, target))
        return total, parts | {"critic": unsure}

    def _distance(self, made: Tensor, target: Tensor) -> losses.Made:
        """The weighted sum of pixel, content, style, edge and colour losses, and the parts that have a weight."""
        layers = self.settings.content_layers, self.settings.style_layers
        parts = losses.distances(made, target, self.settings.weights, self._maps, layers)
        return torch.stack([self._weight(key) * value for key, value in parts.items()]).sum(), parts

    def _maps(self, pictures: Tensor) -> losses.Maps:
        with self.fabric.autocast():
            return self.perceptual(pictures)

    def _weight(self, key: str) -> float:
        return self.settings.weights.get(key, 0.0)


class _StudentWithAdapters(nn.Module):
    """The student with its adapters: what one process wraps and one optimizer trains."""

    def __init__(self, student: Generator, adapters: Adapters) -> None:
        super().__init__()
        self.student, self.adapters = student, adapters

    def forward(self, photo: Tensor) -> tuple[Tensor, losses.Maps]:
        maps = self.student.features(photo)
        anime = maps.pop("anime")
        return anime.float(), {name: hint.float() for name, hint in self.adapters(maps).items()}
