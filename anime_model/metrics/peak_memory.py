"""Runs a model once on ONNX Runtime and numpy alone and writes the process's peak memory, in bytes, to standard output.

A script of its own that imports nothing of this project: `python peak_memory.py MODEL SIZE THREADS`.
"""

import sys

import numpy as np
import onnxruntime


def main(model: str, size: int, threads: int) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    session.run(None, {taken.name: as_taken(np.zeros((1, 3, size, size), np.float32), taken)})
    sys.stdout.write(str(_peak()))


def as_taken(photo: np.ndarray, taken: onnxruntime.NodeArg) -> np.ndarray:
    """A float photo [1, 3, H, W] in [-1, 1] in the layout and number format that a network's input has.

    Published networks take [1, H, W, 3] too, and bytes or half precision.
    """
    if len(taken.shape) == 4 and taken.shape[3] == 3 and taken.shape[1] != 3:
        photo = np.ascontiguousarray(photo.transpose(0, 2, 3, 1))
    if taken.type == "tensor(uint8)":
        return ((photo + 1) * 127.5).astype(np.uint8)
    return photo.astype(np.float16) if taken.type == "tensor(float16)" else photo


def _peak() -> int:
    """Linux's high-water mark of this program alone: `ru_maxrss` begins with that of the process which started it."""
    try:
        with open("/proc/self/status") as file:
            kibibytes = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
        return kibibytes * 1024
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
