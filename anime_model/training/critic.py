"""What makes a network's lines crisp beside distances: a discriminator of the wanted pictures' detail."""

import contextlib
from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from anime_model.networks.discriminator import DetailDiscriminator
from anime_model.training import losses
from anime_model.training.losses import Made
from anime_model.training.together import mean_over_processes


class Critic:
    """A discriminator that learns beside a network what the detail of the wanted pictures looks like.

    Where a small network cannot know which of many lines is drawn, distances make it draw all of them softly; a critic
    knows no soft line. Least squares (Mao et al., ICCV 2017) on patches (Isola et al., CVPR 2017). Its gradient in the
    picture has `share` of the length that the distances' gradient has, so that neither drowns the other (as Esser et
    al., "Taming Transformers", CVPR 2021, weigh it).
    """

    def __init__(
        self, share: float, device: torch.device, width: int = 32, rate: float = 4e-4, fabric: Fabric | None = None
    ) -> None:
        """With `fabric` the discriminator trains as its processes do, together and in its precision."""
        self.share, self._fabric = share, fabric
        self.network = DetailDiscriminator(width).to(device, memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.Adam(self.network.parameters(), rate, (0.5, 0.99))
        self._judge: nn.Module = self.network
        if fabric:
            self._judge, self.optimizer = fabric.setup(self.network, self.optimizer)

    def learn(self, made: Tensor, wanted: Tensor) -> Tensor:
        """One step of the discriminator on pictures [N, 3, H, W]; its loss, a scalar: 0.5 where it knows nothing."""
        real, fake = self._judge(torch.cat([wanted, made.detach()])).float().chunk(2)
        loss = (real - 1).square().mean() + fake.square().mean()
        self.optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss) if self._fabric else loss.backward()
        self.optimizer.step()
        return loss.detach()

    def with_share(self, made: Tensor, distance: Callable[[Tensor], Made]) -> Made:
        """What `distance(made)` gives, its gradient turned towards pictures that the discriminator takes for wanted.

        The value is that of the distance alone.
        """
        leaf = made.detach().requires_grad_(True)
        total, parts = distance(leaf)
        (gradient,) = torch.autograd.grad(total, leaf)
        with self._fabric.autocast() if self._fabric else contextlib.nullcontext():
            adversarial = losses.adversarial(self.network(leaf).float())
        (turn,) = torch.autograd.grad(adversarial, leaf)
        lengths = mean_over_processes(torch.stack([gradient.square().sum(), turn.square().sum()])).sqrt()
        gradient = gradient + self.share * lengths[0] / lengths[1].clamp_min(1e-12) * turn
        steered = (made * gradient).sum()
        return total.detach() + steered - steered.detach(), parts | {"adversarial": adversarial}
