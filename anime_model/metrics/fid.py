"""FID and KID: how far one collection of pictures is from another, by the features of a network.

Fréchet distance of two Gaussians fitted to the features (Heusel et al., NeurIPS 2017) and the squared maximum mean
discrepancy with a cubic kernel (Binkowski et al., ICLR 2018), both as torch-fidelity computes them. A figure depends on
the features and on the number of pictures: it compares with figures of the same protocol and with no others. FID of few
pictures is too large by an amount that depends on their number. KID has no such bias where pictures are independent;
several cuts of one picture are not, which makes it a few percent too large, alike for all rows.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from anime_model.metrics.batches import batches
from anime_model.metrics.downloads import EvaluationError, weights_of
from anime_model.metrics.names import FEATURES
from anime_model.networks.perceptual import load_perceptual
from anime_model.networks.torchvision_ops import ensure_torchvision

KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000

Extract = Callable[[Tensor], Tensor]


def load_features(name: str) -> Extract:
    """From uint8 pictures [N, 3, H, W] of any size to their features [N, D].

    "inception-768" is layer '768' of the Inception-v3 of the FID papers (published figures use 2048), weights through
    torch's hub cache; "embedded" is this project's own network. Raises `EvaluationError`.
    """
    if name not in FEATURES:
        raise EvaluationError(f"FID features {name!r}: choose one of {', '.join(FEATURES)}")
    if name == "embedded":
        network = load_perceptual("embedded")
        return lambda pictures: network.embedding(pictures.float() / 127.5 - 1)
    ensure_torchvision()
    from torch_fidelity.utils import create_feature_extractor  # seconds: it imports torchvision

    layer = name.removeprefix("inception-")
    with weights_of("Inception-v3 (FID)"):
        network = create_feature_extractor("inception-v3-compat", [layer], cuda=False, verbose=False)
    return lambda pictures: network(pictures)[0]


@torch.no_grad()
def features_of(pictures: Sequence[np.ndarray], extract: Extract, name: str) -> Tensor:
    """Features [N, D] of uint8 RGB pictures [H, W, 3] of any sizes.

    Raises `EvaluationError` where a feature is not finite.
    """
    features = [extract(batch) for batch in batches(pictures)]
    found = torch.cat(features) if features else torch.empty(0, 0)
    if not found.isfinite().all():
        raise EvaluationError(
            f"FID features {name!r} are not finite: the weights of that layer are damaged; restore the file or choose "
            f"other features ({', '.join(FEATURES)}) in the recipe's evaluate section"
        )
    return found


def frechet_and_kernel(fake: Tensor, real: Tensor, name: str) -> dict[str, float | int | str]:
    """FID and KID between features [N, D] and [M, D] of `features_of`; compute those of the real side once.

    KID is the mean over 100 random subsets of 1000 pictures, or of as many as the smaller side has. Raises
    `EvaluationError` for fewer than two pictures on a side.
    """
    if min(len(fake), len(real)) < 2:
        raise EvaluationError(f"FID needs two pictures or more on each side, not {len(fake)} and {len(real)}")
    ensure_torchvision()
    from torch_fidelity import metric_fid, metric_kid

    statistics = [metric_fid.fid_features_to_statistics(side.cpu()) for side in (fake, real)]
    fid = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
    size = min(KID_SUBSET_SIZE, len(fake), len(real))
    kid = metric_kid.kid_features_to_metric(fake, real, kid_subsets=KID_SUBSETS, kid_subset_size=size, verbose=False)
    return {
        "fid": fid[metric_fid.KEY_METRIC_FID],
        "kid": kid[metric_kid.KEY_METRIC_KID_MEAN],
        "fid_features": name,
        "fid_real": len(real),
        "fid_fake": len(fake),
    }
