"""Lets torchvision be imported beside a torch build for which its compiled operators are missing."""

from functools import cache

import torch

# torchvision's Python half registers fake kernels for these at import and fails where its compiled half did not load.
SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

_declared: list[torch.library.Library] = []  # a declaration lasts as long as its Library object


@cache
def ensure_torchvision() -> None:
    """Declares the operators that torchvision needs for its import where they are missing; else changes nothing.

    Call it before the first import of torchvision, lpips or torch_fidelity. Only the signatures are declared: the
    networks used here run none of these operators. Raises `ImportError` where torchvision is not installed.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _declare_missing()
        import torchvision  # noqa: F401


def _declare_missing() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _declared.append(library)
