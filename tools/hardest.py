"""Photos on which a network is farthest from its model: `python -m tools.hardest NETWORK MODEL PHOTOS COUNT OUT`.

NETWORK is a lite network (.safetensors), MODEL the published network (.onnx) or the teacher that it learns. OUT gets
links to the COUNT photos of the folder PHOTOS whose drawings differ most where MODEL changes shapes, such as eyes: a
folder of its own for `tools.imitate --photos OUT=SHARE`, so that what fails is seen more often.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from anime_model.networks.checkpoint import load_generator
from anime_model.pictures.arrays import picture_files, read_picture
from anime_model.reference.scales import scaled
from anime_model.training.distortions import to_batch
from anime_model.training.imitation import changed_shapes
from tasks.shared import common
from tools.draw_frames import count_of
from tools.imitate import model_of

SIDE = 320  # px, of the short side at which photos are compared
MULTIPLE = 16  # sides are cut to: what published networks need


def main(arguments: list[str]) -> None:
    photos, count, out = picture_files(Path(arguments[2])), count_of(arguments[3]), Path(arguments[4])
    network, model = load_generator(Path(arguments[0])).float().eval(), model_of(Path(arguments[1])).eval()
    found = []
    for done, file in enumerate(photos, 1):
        found.append((apart(view(file), network, model), file))
        common.show(done, len(photos), {"apart": found[-1][0]})
    for _, file in sorted(found, reverse=True)[:count]:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / file.name).exists():
            (out / file.name).symlink_to(file.resolve())


def view(file: Path) -> Tensor:
    """A photo, [1, 3, H, W] in [-1, 1], its short side `SIDE` px, less what is no whole multiple."""
    picture = read_picture(file)
    small = scaled(picture, SIDE / min(picture.shape[:2]))
    height, width = (side // MULTIPLE * MULTIPLE for side in small.shape[:2])
    return to_batch([Image.fromarray(small[:height, :width])])


@torch.no_grad()
def apart(photo: Tensor, network: Callable[[Tensor], Tensor], model: Callable[[Tensor], Tensor]) -> float:
    """L1 between two networks' pictures of a photo, weighted by how much the second one changes shapes."""
    made, wanted = network(photo).clamp(-1, 1), model(photo).clamp(-1, 1)
    error = F.avg_pool2d((made - wanted).abs().mean(1, keepdim=True), 16)[0, 0]
    weights = changed_shapes(photo[0], wanted[0])
    return float((error * weights).sum() / weights.sum().clamp_min(1e-9))


if __name__ == "__main__":
    torch.set_num_threads(1)
    common.run(main, "NETWORK MODEL PHOTOS COUNT OUT")
