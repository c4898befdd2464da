"""What a network pays for the photo's own pixels that its gate lets through."""

import torch
from torch import Tensor, nn

from anime_model.networks.generator import Generator
from anime_model.training.losses import Made


class GateCost:
    """What a gate costs: the mean size of what it lets through, where distances alone leave it half open everywhere.

    Texture of the photo that shows faintly through flat areas is no error that a distance feels, and no drawing either.
    """

    def __init__(self, weight: float, network: Generator | None = None) -> None:
        """Watches the last convolution of `network`, whose last quarter of channels is the gate."""
        self.weight, self._made = weight, torch.zeros(())
        self._hook = network.out.register_forward_hook(self.watch) if network is not None else None

    def watch(self, module: nn.Module, inputs: tuple[Tensor], made: Tensor) -> None:
        """A forward hook for such a convolution."""
        self._made = made

    def added(self, total: Tensor, parts: dict[str, Tensor]) -> Made:
        """A loss and its parts with the cost of the picture that was made last."""
        gate = self.opened()
        return total + self.weight * gate, parts | {"gate": gate}

    def release(self) -> None:
        """Stops watching: a network can be copied again."""
        if self._hook:
            self._hook.remove()

    def opened(self) -> Tensor:
        """The mean size of the gate in the picture that was made last, a scalar."""
        return self._made[:, -self._made.shape[1] // 4 :].float().abs().mean()
