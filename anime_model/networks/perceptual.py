"""Networks that see as people do: the small one that ships here, and VGG-19 with its own download.

Both are frozen and give feature maps under VGG's names. The embedded one also gives a global embedding (for FID) and
a distance between two pictures (LPIPS). How it is trained: `anime_model/training/embedded.py`; how well it follows
the real networks: `anime_model/weights/perceptual.md`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from anime_model.networks.names import LAYERS
from anime_model.networks.torchvision_ops import ensure_torchvision
from anime_model.pictures.atomic import whole_path

FORMAT = "animegan-perceptual/1"
EMBEDDED = Path(__file__).resolve().parents[1] / "weights" / "perceptual.safetensors"
# Index of the ReLU in torchvision's `vgg19().features`.
VGG19 = {"relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 20}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of RGB in [0, 1]


class PerceptualError(ValueError):
    """A perceptual network that cannot be had, with what to do about it."""


def load_perceptual(network: str, layers: Sequence[str] = LAYERS) -> "Embedded | Vgg19":
    """`network` is "embedded" or "vgg19"; `layers` are the maps that `forward` gives, and it computes no more.

    The network is in 32-bit float, frozen, in evaluation mode. VGG-19's weights come through torch's hub cache
    (`TORCH_HOME`). Raises `PerceptualError` for an unknown name and for weights that are missing or not finite.
    """
    unknown = [layer for layer in layers if layer not in LAYERS]
    if unknown or not layers:
        raise PerceptualError(f"perceptual layers {unknown or 'are empty'}: choose among {', '.join(LAYERS)}")
    if network == "embedded":
        return load_embedded(EMBEDDED, layers)
    if network == "vgg19":
        return Vgg19(layers)
    raise PerceptualError(f"perceptual network {network!r}: choose 'embedded' or 'vgg19'")


@dataclass(frozen=True)
class Convolution:
    """Even kernels halve the resolution exactly as VGG's pooling does; odd ones keep it."""

    width: int
    kernel: int = 3
    groups: int = 1

    @property
    def stride(self) -> int:
        return 2 - self.kernel % 2


@dataclass(frozen=True)
class PerceptualArchitecture:
    """What an embedded network is built from.

    Stage 0 sees the picture at full resolution, for relu1_1 alone; stages 1, 2 ... are the trunk, each at half the
    resolution of the one before. `maps` gives for each layer its stage, its width and the channels that VGG has there.
    `hidden` is the width before the embedding, which sees pictures at `embedding_size` x `embedding_size`.
    """

    stages: tuple[tuple[Convolution, ...], ...]
    maps: dict[str, tuple[int, int, int]]
    embedding: int = 128
    hidden: int = 256
    embedding_size: int = 128

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises `TypeError`, `KeyError` or `ValueError` for a text that describes no such network."""
        fields = json.loads(text)
        stages = tuple(tuple(Convolution(**layer) for layer in stage) for stage in fields.pop("stages"))
        return cls(stages=stages, maps={name: tuple(value) for name, value in fields.pop("maps").items()}, **fields)


def small() -> PerceptualArchitecture:
    """The network that ships."""
    return PerceptualArchitecture(
        stages=(
            (Convolution(24),),
            (Convolution(16, kernel=6), Convolution(32)),
            (Convolution(48, kernel=4, groups=2), Convolution(64)),
            (Convolution(96, kernel=4), Convolution(96), Convolution(96)),
            (Convolution(128, kernel=4, groups=2), Convolution(128)),
        ),
        maps={"relu1_1": (0, 16, 64), "relu2_1": (1, 32, 128), "relu3_1": (2, 64, 256), "relu4_1": (3, 64, 512)},
    )


class Embedded(nn.Module):
    """A few strided convolutions distilled from VGG-19, Inception-v3 and LPIPS.

    A map of width k stands for a VGG map of C channels: it estimates the VGG map's coordinates in its k strongest
    directions (an orthonormal basis), scaled by sqrt(k / C). So the mean squared difference of two maps, and the
    mean square of one, estimate VGG's own, at a fraction of the channels. Unlike VGG's, the maps have both signs.
    """

    def __init__(self, architecture: PerceptualArchitecture, layers: Sequence[str] = LAYERS) -> None:
        super().__init__()
        self.architecture, self.layers = architecture, tuple(layers)
        widths = [stage[-1].width for stage in architecture.stages]
        inputs = [3, 3, *widths[1:-1]]
        self.stages = nn.ModuleList(_stage(*pair) for pair in zip(inputs, architecture.stages, strict=True))
        self.heads, self.bases = nn.ModuleDict(), nn.ParameterDict()
        for name, (stage, width, channels) in architecture.maps.items():
            self.heads[name] = nn.Conv2d(widths[stage], width, 1)
            self.bases[name] = nn.Parameter(torch.eye(channels, width), requires_grad=False)
        self.hidden = nn.Conv2d(widths[-1], architecture.hidden, 1)
        self.embed = nn.Linear(architecture.hidden + sum(widths[1:-1]), architecture.embedding)
        self.weights = nn.ParameterList(nn.Parameter(torch.full((width,), 0.1)) for width in widths[1:])
        for module in (*self.stages.modules(), self.hidden):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Maps of the chosen layers of pictures [N, 3, H, W] in [-1, 1], as VGG's in size, not in width."""
        stages = [self.architecture.maps[name][0] for name in self.layers]
        return self.maps_of(self.trunk(x, max(stages), edge=0 in stages))

    def maps_of(self, trunk: dict[int, Tensor]) -> dict[str, Tensor]:
        """Maps of the chosen layers, from the features that `trunk` gives."""
        return {name: self.heads[name](trunk[self.architecture.maps[name][0]]) for name in self.layers}

    def expand(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        """VGG's own channels [N, C, H, W], estimated from the maps of `forward`."""
        return {name: F.relu(torch.einsum("ck,nkhw->nchw", self._scaled(name), map)) for name, map in maps.items()}

    def project(self, name: str, vgg: Tensor) -> Tensor:
        """The map that `forward` should give for layer `name` where VGG gives `vgg` [N, C, H, W]."""
        basis = self.bases[name]
        return torch.einsum("ck,nchw->nkhw", basis, vgg) * (basis.shape[1] / basis.shape[0]) ** 0.5

    def embedding(self, x: Tensor) -> Tensor:
        """Global features [N, D] of pictures [N, 3, H, W] in [-1, 1], seen at one fixed size whatever theirs is.

        They estimate the D strongest directions of the Inception-v3 features '768' of the FID.
        """
        return self.embed(self.pooled(x))

    def pooled(self, x: Tensor) -> Tensor:
        """What the embedding is a linear function of: the means over places of the trunk's features, [N, F]."""
        size = self.architecture.embedding_size
        if x.shape[-2:] != (size, size):
            x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
        trunk = self.trunk(x)
        last = F.relu(self.hidden(trunk.pop(len(self.stages) - 1)))
        return torch.cat([features.mean((2, 3)) for features in (*trunk.values(), last)], dim=1)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """LPIPS of two batches of pictures: [N], 0 for equal pictures (Zhang et al., CVPR 2018, eq. 1)."""
        return self.distance_of(self.trunk(x), self.trunk(y))

    def distance_of(self, x: dict[int, Tensor], y: dict[int, Tensor]) -> Tensor:
        """`distance`, from the features that `trunk` gives of either side."""
        apart = [
            (unit_length(x[stage]) - unit_length(y[stage])).square().mean((2, 3)) @ weight.abs()
            for stage, weight in enumerate(self.weights, 1)
        ]
        return torch.stack(apart).sum(0)

    def trunk(self, x: Tensor, deepest: int | None = None, edge: bool = False) -> dict[int, Tensor]:
        """Features after each stage up to `deepest`, by stage; those of stage 0 where `edge` asks for them."""
        features = {0: self.stages[0](x)} if edge else {}
        last = len(self.stages) - 1 if deepest is None else deepest
        for stage in range(1, last + 1):
            x = features[stage] = self.stages[stage](x)
        return features

    def _scaled(self, name: str) -> Tensor:
        basis = self.bases[name]
        return basis * (basis.shape[0] / basis.shape[1]) ** 0.5


class Vgg19(nn.Module):
    """VGG-19 (Simonyan and Zisserman, ICLR 2015) as torchvision has it, up to the deepest layer asked for."""

    def __init__(self, layers: Sequence[str] = LAYERS) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.features = _vgg19_features(1 + max(VGG19[layer] for layer in layers))
        mean, deviation = torch.tensor(IMAGENET)
        self.register_buffer("mean", mean[:, None, None])
        self.register_buffer("deviation", deviation[:, None, None])
        _freeze(self)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Maps [N, C, H', W'] of the chosen layers of pictures [N, 3, H, W] in [-1, 1]."""
        x = ((x + 1) / 2 - self.mean) / self.deviation
        names = {VGG19[layer]: layer for layer in self.layers}
        maps = {}
        for index, module in enumerate(self.features):
            x = module(x)
            if index in names:
                maps[names[index]] = x
        return maps


def save_embedded(path: Path, network: Embedded, notes: dict | None = None) -> None:
    """Writes weights in 16-bit float and, in the metadata, the architecture and `notes`; whole or not at all."""
    tensors = {key: value.detach().cpu().half().contiguous() for key, value in network.state_dict().items()}
    metadata = {"format": FORMAT, "architecture": network.architecture.to_json(), "notes": json.dumps(notes or {})}
    with whole_path(path) as part:
        save_file(tensors, part, metadata)


def load_embedded(path: Path, layers: Sequence[str] = LAYERS) -> Embedded:
    """The network of a file that `save_embedded` wrote, frozen. Raises `PerceptualError` naming the file."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise PerceptualError(f"{path}: cannot be read as a perceptual network ({error}); restore the file") from error
    if metadata.get("format") != FORMAT:
        raise PerceptualError(f"{path}: a .safetensors file, but not a perceptual network of format {FORMAT}")
    try:
        network = Embedded(PerceptualArchitecture.from_json(metadata["architecture"]), layers)
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise PerceptualError(f"{path}: its tensors and its architecture do not fit ({error})") from error
    _refuse_non_finite(network, str(path))
    return _freeze(network)


def _stage(width: int, layers: Sequence[Convolution]) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer in layers:
        padding = (layer.kernel - 1) // 2
        modules += [nn.Conv2d(width, layer.width, layer.kernel, layer.stride, padding, groups=layer.groups), nn.ReLU()]
        width = layer.width
    return nn.Sequential(*modules)


def unit_length(features: Tensor) -> Tensor:
    """Divides by the length over channels; the small number under the root keeps the gradient finite at zero."""
    return features / (features.square().sum(1, keepdim=True) + 1e-8).sqrt()


def _freeze(network: nn.Module) -> nn.Module:
    """Channels last is 10 to 30 % faster on a CPU and changes no result."""
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _vgg19_features(depth: int) -> nn.Sequential:
    """The first `depth` modules of torchvision's `vgg19().features`, without building its 500 MB classifier."""
    ensure_torchvision()
    from torchvision.models.vgg import VGG19_Weights, cfgs, make_layers

    weights = VGG19_Weights.IMAGENET1K_V1
    file = Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)
    try:
        state = weights.get_state_dict(progress=False, weights_only=True)
    except Exception as error:  # urllib, zip and pickle errors alike: the cure is the same
        raise PerceptualError(
            f"{file}: VGG-19's weights can be neither read nor downloaded ({str(error).splitlines()[0]}); put the file "
            f"there, set TORCH_HOME to a folder with hub/checkpoints/{file.name}, or use the embedded network"
        ) from error
    holder = nn.ModuleDict({"features": make_layers(cfgs["E"], batch_norm=False)[:depth]})
    holder.load_state_dict({key: state[key].float() for key in holder.state_dict()})
    _refuse_non_finite(holder, str(file))
    return holder["features"]


def _refuse_non_finite(network: nn.Module, source: str) -> None:
    wrong = [key for key, value in network.state_dict().items() if not value.isfinite().all()]
    if wrong:
        raise PerceptualError(f"{source}: not finite: {', '.join(wrong)}; ask for shallower layers or mend the file")
