"""The teacher: AnimeGANv2 trained on unpaired photos and style frames."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from anime_model.networks.architecture import animeganv2
from anime_model.networks.checkpoint import load_generator, save_generator
from anime_model.networks.discriminator import Discriminator, ProjectedDiscriminator
from anime_model.networks.generator import Generator
from anime_model.recipes.teacher import TeacherSettings
from anime_model.training import losses
from anime_model.training.abstraction import ColourTransfer, abstract
from anime_model.training.colours import carry_colours
from anime_model.training.data import Pictures, Sampler
from anime_model.training.loop import Scalars, Training, TrainingError, cosine, set_rate, update_average
from anime_model.training.pairs import Pairs
from anime_model.training.sheets import render
from anime_model.training.yuv import to_grey


@dataclass(frozen=True)
class TeacherData:
    """Photos, frames and the edge-smoothed twins of the frames, all in memory."""

    photos: Pictures
    frames: Pictures
    smooth: Pictures

    @classmethod
    def load(cls, folder: Path, crop: int, device: torch.device) -> "TeacherData":
        return cls(*(Pictures(folder / part, device, crop) for part in ("photos/train", "frames", "smooth")))


@dataclass(frozen=True)
class TrainedTeacher:
    generator: Generator
    curve: list[Scalars]
    snapshots: dict[int, Path]
    samples: dict[int | str, Tensor]
    kept_start: bool = False  # training on pairs made the warm start worse


def starting_generator(settings: TeacherSettings, photos: Pictures | None) -> Generator:
    """New weights, or those of the checkpoint `warm_start`, with its gate if it has one and its own upsampling.

    `TrainingError` where that is of another width or kind.

    Either with carriers for the colours of such `photos` where the recipe asks for them.
    """
    arch = animeganv2(settings.width)
    generator = load_generator(Path(settings.warm_start)) if settings.warm_start else Generator(arch)
    plain = replace(generator.arch, detail=arch.detail, upsample=arch.upsample)  # both may differ
    if plain != arch:
        width = generator.arch.layers["b1"].width / animeganv2().layers["b1"].width
        fits = plain == animeganv2(width)
        needs = f"needs teacher.width {width:g}, not {settings.width:g}" if fits else "is no AnimeGANv2 generator"
        raise TrainingError(f"teacher.warm_start: {settings.warm_start} {needs}")
    if settings.carry_colours and photos is not None:
        carry_colours(generator, photos.fixed(4, settings.crop).cpu())
    return generator.train()


def new_discriminator(settings: TeacherSettings, perceptual: nn.Module) -> nn.Module:
    """Of the kind that the recipe names, with new weights."""
    if settings.discriminator == "projected":
        return ProjectedDiscriminator.on(perceptual, settings.discriminator_width)
    return Discriminator(settings.discriminator_width)


def train_teacher(
    data: TeacherData,
    perceptual: nn.Module,
    settings: TeacherSettings,
    training: Training,
    start: Generator | None = None,
    pairs: Pairs | None = None,
) -> TrainedTeacher:
    """Warms up on the content loss alone, then trains against the discriminator; returns the average of the weights.

    The steps count over both phases. `samples` holds the fixed photos as each snapshot renders them, the photos
    themselves as snapshot 0. `start` takes the place of a new generator; `pairs` gives the photos of a step and the
    pictures that content and colour hold on to, [batch, 3, crop, crop] each.
    """
    torch.manual_seed(training.seed)
    generator = start or starting_generator(settings, data.photos)
    discriminator = new_discriminator(settings, perceptual)
    players = _Players(generator, discriminator, settings, training)
    trainer = _Trainer(players, data, perceptual, settings, training, pairs)
    fixed = data.photos.fixed(6, settings.crop)
    snapshots = snapshot_paths(settings.warm_up_steps + settings.steps, settings.snapshots, training.scratch)
    curve = training.fit(
        "teacher",
        settings.warm_up_steps + settings.steps,
        trainer.step,
        players.modules(),
        players.optimizers(),
        snapshot_writer(snapshots, training)(players.average),
    )
    samples: dict[int | str, Tensor] = {0: fixed.cpu()}
    samples |= {step: render(load_generator(path), fixed) for step, path in snapshots.items()}
    return TrainedTeacher(players.average.eval(), curve, snapshots, samples)


class _Players:
    """Generator, its average, discriminator and their optimizers, on the training's device."""

    def __init__(
        self, generator: Generator, discriminator: nn.Module, settings: TeacherSettings, training: Training
    ) -> None:
        self.average = copy.deepcopy(generator).to(training.device).requires_grad_(False)
        self.g_optimizer = torch.optim.Adam(generator.parameters(), settings.rate, (0.5, 0.999))
        self.d_optimizer = torch.optim.Adam(discriminator.parameters(), settings.discriminator_rate, (0.5, 0.999))
        generator, discriminator = (net.to(memory_format=torch.channels_last) for net in (generator, discriminator))
        self.generator, self.g_optimizer = training.fabric.setup(generator, self.g_optimizer)
        self.discriminator, self.d_optimizer = training.fabric.setup(discriminator, self.d_optimizer)
        # Compiled copies share the weights; resume files and averages see the plain networks.
        self.generate = torch.compile(self.generator) if settings.compile else self.generator
        self.judge = torch.compile(self.discriminator) if settings.compile else self.discriminator

    def modules(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator.module,
            "average": self.average,
            "discriminator": self.discriminator.module,
        }

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": self.g_optimizer, "discriminator": self.d_optimizer}


class _Trainer:
    """One step of the game, in its warm-up or against the discriminator."""

    def __init__(
        self,
        players: _Players,
        data: TeacherData,
        perceptual: nn.Module,
        settings: TeacherSettings,
        training: Training,
        pairs: Pairs | None = None,
    ) -> None:
        self.pairs = pairs
        self.players, self.settings, self.fabric = players, settings, training.fabric
        self.perceptual = torch.compile(perceptual) if settings.compile else perceptual
        palette = ColourTransfer.between(data.photos.pictures, data.frames.pictures, settings.abstraction.palette)
        self.anchor_of = partial(abstract, settings=settings.abstraction, palette=palette)
        self.projected = settings.discriminator == "projected"
        self.published = settings.losses == "published"
        self.photos, self.frames, self.smooth = (
            Sampler(pictures, settings.batch, settings.crop, training.seed, stream, training.fabric.global_rank)
            for stream, pictures in enumerate((data.photos, data.frames, data.smooth))
        )

    def step(self, step: int) -> dict[str, Tensor]:
        warm_up = step < self.settings.warm_up_steps
        scalars = self._warm_up(step) if warm_up else self._play(step)
        update_average(self.players.average, self.players.generator.module, step)
        return scalars

    def _warm_up(self, step: int) -> dict[str, Tensor]:
        """AnimeGAN's initialisation: the generator first learns to reproduce photos, or the abstractions of them."""
        set_rate(self.players.g_optimizer, self.settings.warm_up_rate)
        photo, anchor = self._photos(step)
        made = self.players.generate(photo)
        with torch.no_grad():
            anchor_maps = self._maps(anchor)
        content = losses.content(self._maps(made), anchor_maps, self.settings.content_layers)
        total = self._weight("content", content)
        if not self.published:
            total = total + self._weight("colour", losses.colour(made, anchor))
        self._update(self.players.g_optimizer, total)
        return {"content": content.detach(), "loss": total.detach()}

    def _play(self, step: int) -> dict[str, Tensor]:
        played, total = step - self.settings.warm_up_steps, self.settings.steps
        set_rate(self.players.g_optimizer, cosine(played, total, self.settings.rate))
        set_rate(self.players.d_optimizer, cosine(played, total, self.settings.discriminator_rate))
        (photo, anchor), frame, smooth = self._photos(step), self.frames(step), self.smooth(step)
        made = self.players.generate(photo)
        judged = self._train_discriminator(made.detach(), frame, smooth)
        return {"discriminator": judged} | self._train_generator(made, anchor, frame)

    def _photos(self, step: int) -> tuple[Tensor, Tensor]:
        """Photos, and what content and colour hold on to."""
        if self.pairs:
            return self.pairs(step)
        photo = self.photos(step)
        return photo, self.anchor_of(photo)

    def _train_discriminator(self, made: Tensor, frame: Tensor, smooth: Tensor) -> Tensor:
        batch = torch.cat([frame, made, to_grey(frame), to_grey(smooth)])
        with torch.no_grad():
            seen = self._maps(batch) if self.projected else batch
        real, false, grey, smoothed = self.players.judge(seen).chunk(4)
        loss = losses.discriminator_loss(real, false, grey, smoothed, self.settings.smooth_weight)
        self._update(self.players.d_optimizer, loss)
        return loss.detach()

    def _train_generator(self, made: Tensor, anchor: Tensor, frame: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            anchor_maps, grey_maps = self._maps(anchor), self._maps(to_grey(frame))
        made_maps = self._maps(made)
        seen = (made, made_maps, anchor, grey_maps)
        parts = {
            "adversarial": losses.adversarial(self._judge_frozen(made_maps if self.projected else made)),
            "content": losses.content(made_maps, anchor_maps, self.settings.content_layers),
            **(self._published(*seen) if self.published else self._relative(*seen)),
        }
        total = torch.stack([self._weight(key, value) for key, value in parts.items()]).sum()
        self._update(self.players.g_optimizer, total)
        return {key: value.detach() for key, value in parts.items()} | {"loss": total.detach()}

    def _relative(self, made: Tensor, _: losses.Maps, anchor: Tensor, grey_maps: losses.Maps) -> dict[str, Tensor]:
        return {
            "style": losses.style(self._maps(to_grey(made)), grey_maps, self.settings.style_layers),
            "colour": losses.colour(made, anchor, self.settings.colour_pool),
            "variation": losses.total_variation(made),
        }

    def _published(
        self, made: Tensor, made_maps: losses.Maps, anchor: Tensor, grey_maps: losses.Maps
    ) -> dict[str, Tensor]:
        return {
            "style": losses.style_published(made_maps, grey_maps, self.settings.style_layers),
            "colour": losses.colour_published(made, anchor),
            "variation": losses.total_variation(made) / 2,
        }

    def _maps(self, picture: Tensor) -> losses.Maps:
        with self.fabric.autocast():
            return self.perceptual(picture)

    def _judge_frozen(self, made: Tensor | losses.Maps) -> Tensor:
        """The plain network: gradients pass through it to the picture, and no process waits for its own."""
        discriminator = self.players.discriminator.module.requires_grad_(False)
        with self.fabric.autocast():
            judged = discriminator(made)
        discriminator.requires_grad_(True)
        return judged

    def _weight(self, key: str, value: Tensor) -> Tensor:
        return self.settings.weights[key] * value.float()

    def _update(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        optimizer.step()


def snapshot_paths(total: int, count: int, scratch: Path) -> dict[int, Path]:
    """Evenly over `total` steps, the last included. In the scratch folder: outputs are deleted before a resumed run."""
    steps = sorted({round(total * (i + 1) / count) for i in range(count)})
    return {step: scratch / "snapshots" / f"step_{step:06d}.safetensors" for step in steps if step}


def snapshot_writer(paths: dict[int, Path], training: Training) -> Callable[[Generator], Callable[[int], None]]:
    """Of the average of the weights, what writes the snapshot of each step that has one."""

    def write(step: int, average: Generator) -> None:
        if step in paths and training.fabric.is_global_zero:
            save_generator(paths[step], average, step=step)

    return lambda average: partial(write, average=average)
