"""ExecuTorch (.pte, for phones and small devices), with XNNPACK's kernels."""

from pathlib import Path

import numpy as np

from anime_model.exporting.order import Order, Run
from anime_model.exporting.source import Source
from anime_model.runtime.tiles import MULTIPLE

MOST = 2048  # pixels of a side: memory is planned for the largest picture


def write(source: Source, folder: Path, order: Order) -> list[Path]:
    """The method `forward` of float32 [1, 3, H, W] in [-1, 1]: any multiples of 4 up to `MOST`, or one size."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    from anime_model.exporting.network import network_of

    shapes = None
    if order.size is None:
        sides = (torch.export.Dim(name, min=2, max=MOST // MULTIPLE) for name in ("height", "width"))
        shapes = {"photo": {2 + place: MULTIPLE * side for place, side in enumerate(sides)}}
    program = torch.export.export(network_of(source), (torch.zeros(1, 3, *order.example),), dynamic_shapes=shapes)
    made = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    target = folder / f"{source.name}.pte"
    target.write_bytes(made.buffer)
    return [target]


def opened(path: Path, order: Order, threads: int) -> Run:
    """ExecuTorch's own thread pool decides how many threads there are."""
    import torch
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(str(path)).load_method("forward")

    def run(photo: np.ndarray) -> np.ndarray:
        # a map of values in another order would be read as if it were in this one
        return method.execute([torch.from_numpy(np.ascontiguousarray(photo))])[0].clone().numpy()

    return run
