"""One clear line where the weights of a metric's network can be neither found nor downloaded."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch


class EvaluationError(ValueError):
    """A figure that cannot be had, with what to do about it."""


@contextlib.contextmanager
def weights_of(network: str) -> Iterator[None]:
    """Wraps the loading of `network`; raises `EvaluationError` instead of whatever urllib, zip and pickle raise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's on its own old arguments
            yield
    except ImportError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EvaluationError(
            f"the weights of {network} can be neither read nor downloaded ({reason}); put them into "
            f"{Path(torch.hub.get_dir(), 'checkpoints')}, set TORCH_HOME to a folder that has them, "
            "or choose 'embedded' in the recipe's evaluate section"
        ) from error
