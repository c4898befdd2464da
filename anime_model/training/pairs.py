"""A generator trained on pairs: photos, and the very pictures that it should make of them."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from anime_model.networks.generator import Generator
from anime_model.recipes.pairs import PairsSettings
from anime_model.training import losses
from anime_model.training.gate_cost import GateCost
from anime_model.training.loop import Scalars, Training, cosine, set_rate, update_average

Pairs = Callable[[int], tuple[Tensor, Tensor]]  # photos and wanted pictures of a step, [N, 3, H, W] in [-1, 1]


def train_on_pairs(
    generator: Generator,
    pairs: Pairs,
    perceptual: nn.Module,
    settings: PairsSettings,
    training: Training,
    name: str = "paired",
    after_step: Callable[[Generator], Callable[[int], None]] | None = None,
) -> tuple[Generator, list[Scalars]]:
    """The average of the weights over the steps from `generator` on, and the curve.

    Pixel L1, content, paired Gram style, edges and colour, weighted as `settings` says; with a weight of the gate
    `generator` must have one. `after_step(average)` gives what
    hears of every step that is done. Resumes as `Training.fit` does, as phase `name`.
    """
    learner = _PairsStep(generator, pairs, perceptual, settings, training)
    hook = after_step(learner.average) if after_step else None
    modules = {"generator": learner.student.module, "average": learner.average}
    curve = training.fit(name, settings.steps, learner.step, modules, {"generator": learner.optimizer}, hook)
    return learner.average.to(memory_format=torch.contiguous_format).eval(), curve


class _PairsStep:
    def __init__(
        self, generator: Generator, pairs: Pairs, perceptual: nn.Module, settings: PairsSettings, training: Training
    ) -> None:
        self.pairs, self.perceptual, self.settings, self.fabric = pairs, perceptual, settings, training.fabric
        network = generator.to(training.device, memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(network).requires_grad_(False)
        optimizer = torch.optim.Adam(network.parameters(), settings.rate, (0.9, 0.99))
        self.gate = GateCost(settings.weights["gate"], network) if settings.weights.get("gate") else None
        self.student, self.optimizer = training.fabric.setup(network, optimizer)

    def step(self, step: int) -> dict[str, Tensor]:
        settings = self.settings
        set_rate(self.optimizer, cosine(step, settings.steps, settings.rate))
        photo, wanted = self.pairs(step)
        parts = self._parts(self.student(photo), wanted)
        total = torch.stack([settings.weights.get(key, 0.0) * value.float() for key, value in parts.items()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        if settings.clip:
            self.fabric.clip_gradients(self.student, self.optimizer, max_norm=settings.clip)
        self.optimizer.step()
        update_average(self.average, self.student.module, step, settings.average)
        return {key: value.detach() for key, value in parts.items()} | {"loss": total.detach()}

    def _maps(self, pictures: Tensor) -> losses.Maps:
        with self.fabric.autocast():
            return self.perceptual(pictures)

    def _parts(self, made: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        layers = self.settings.content_layers, self.settings.style_layers
        parts = losses.distances(made.float(), wanted, self.settings.weights, self._maps, layers)
        if self.gate:
            parts["gate"] = self.gate.opened()
        return parts
