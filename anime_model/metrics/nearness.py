"""How near collections of pictures are to the style frames: FID and KID with what they may be off by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anime_model.metrics import fid
from anime_model.metrics.bootstrap import RESAMPLES, Resampled, interval, resample

Figures = dict[str, float | int | str]
Side = tuple[Tensor, Sequence[int]]  # features [N, D] of all cuts, and how many of them belong to each picture


@dataclass(frozen=True)
class Nearness:
    """Flat figures, `fid` over all pictures and `fid_<set>` over a test set, and the resamples by "" or "_<set>"."""

    figures: Figures
    resamples: dict[str, Resampled]

    def shares(self, photos: "Nearness") -> Figures:
        """FID as a share of the untouched photos', with its interval: both are resampled picture by picture.

        Below 1 a network has brought the photos nearer to the style; at 1 it might as well have done nothing.
        """
        found: Figures = {}
        for rest in (rest for rest in self.resamples if rest in photos.resamples):
            own, plain = self._centred(rest), photos._centred(rest)
            if plain.min() > 0:
                share = float(self.figures[f"fid{rest}"]) / float(photos.figures[f"fid{rest}"])
                low, high = interval(share, own / plain)
                found |= {f"fid_share{rest}": share, f"fid_share_low{rest}": low, f"fid_share_high{rest}": high}
        return found

    def _centred(self, rest: str) -> np.ndarray:
        """FID of every resample without what resampling itself adds to it."""
        found = self.resamples[rest].fid
        return found - found.mean() + float(self.figures[f"fid{rest}"])


def nearness(sets: Mapping[str, Side], real: Tensor, name: str) -> Nearness:
    """FID, its 95 % interval, KID and its standard deviation over pictures, over all sets and over each.

    `real` are the frames' features [M, D], `name` says which features they are. A set of one cut has no figures of its
    own. `fid_bias` is how much larger FID is for half of the pictures: about what the small number adds to it.
    """
    cuts = [count for _, counts in sets.values() for count in counts]
    whole = torch.cat([features for features, _ in sets.values()])
    figures = {key: value for key, value in fid.frechet_and_kernel(whole, real, name).items() if key != "fid_features"}
    resamples = {"": resample(whole, real, cuts)}
    figures |= _deviations(figures, resamples[""], "")
    figures |= {"fid_bias": resamples[""].halving, "fid_resamples": RESAMPLES}
    for set_name, (features, counts) in sets.items():
        if len(features) > 1:
            rest = f"_{set_name}"
            found = fid.frechet_and_kernel(features, real, name)
            resamples[rest] = resample(features, real, counts)
            figures |= {f"{key}{rest}": found[key] for key in ("fid", "kid")}
            figures |= _deviations(figures, resamples[rest], rest)
    return Nearness(figures, resamples)


def _deviations(figures: Figures, resampled: Resampled, rest: str) -> Figures:
    low, high = interval(float(figures[f"fid{rest}"]), resampled.fid)
    return {
        f"fid_low{rest}": low,
        f"fid_high{rest}": high,
        f"kid_deviation{rest}": float(np.std(resampled.kid, ddof=1)),
    }
