"""`anime compress`: starts the journey from a published network to a small one as a process of its own.

The command needs the pipeline and a clone of the project; what is installed for making pictures has neither.
"""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

NEEDED = ("dvc", "prefect", "torch", "yaml")


def add_options(command: argparse.ArgumentParser) -> None:
    """Every option but the folders is passed on as it is: `flows/journey.py` describes and checks them."""
    add = command.add_argument
    command.set_defaults(run=compress)
    add("network", metavar="NETWORK", help="an ONNX network: a picture in, a picture of the same size out")
    add("--photos", required=True, metavar="FOLDER", help="photos to learn from and to measure with")
    add("--frames", metavar="FOLDER", help="frames of the style, for FID (default: the network's own pictures)")
    add("--name", help="the style's name (default: the file's)")
    add("--minutes", type=float, help="about how long training may take (default: 120)")
    for name, about in {
        "layout": "nhwc or nchw",
        "values": "levels that it takes: -1..1, 0..1 or 0..255 (write --values=-1..1)",
        "channels": "rgb or bgr",
        "multiple": "of height and width",
    }.items():
        add(f"--{name}", help=f"{about}; only where a probe cannot tell")


def compress(options: argparse.Namespace) -> int:
    """Starts the journey in the current folder; its exit status. Raises `ValueError` in one line."""
    if not Path("dvc.yaml").is_file() or not Path("flows/journey.py").is_file():
        raise ValueError("compress needs the pipeline: run it in a clone of the project, where dvc.yaml lies")
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ValueError(f"compress needs {', '.join(missing)}: pip install -c constraints.txt '.[pipeline]'")
    names = ("photos", "frames", "name", "minutes", "layout", "values", "channels", "multiple")
    given = [f"--{name}={value}" for name in names if (value := getattr(options, name)) is not None]
    process = subprocess.Popen([sys.executable, "-m", "flows.journey", *given, "--", options.network])
    try:
        return process.wait()
    except KeyboardInterrupt:  # the terminal has told the journey too: it ends with all that it started
        process.wait()
        raise
