"""What the tests of promotion and retraining need: pictures for the toy, and lite networks of any likeness."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, save
from PIL import Image

from flows.registry.versions import register
from tests.flows.conftest import ROOT
from tests.flows.forked import forking_python


def draw_pictures(folder: Path, count: int, seed: int, size: int = 64) -> None:
    """Smooth coloured pictures, each another one."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    for number in range(count):
        small = draw.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC).save(folder / f"{number}.png")


def make_lite(path: Path, gain: float) -> Path:
    """A network that multiplies by `gain`: at 1 it is the toy's teacher, further away it is less and less like it."""
    shape = (TensorProto.FLOAT, [1, 3, "h", "w"])
    photo, anime = (helper.make_tensor_value_info(end, *shape) for end in ("photo", "anime"))
    scale = helper.make_tensor("gain", TensorProto.FLOAT, [], [gain])
    times = helper.make_node("Mul", ["photo", "gain"], ["anime"])
    graph = helper.make_graph([times], "toy", [photo], [anime], [scale])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def relax_latency(root: Path) -> None:
    """Times of a machine that does other things too decide no test, and networks that only multiply draw no style."""
    with (root / "params.yaml").open("a") as file:
        file.write("promote: {latency_ratio: 100, fid_ratio: 2, style_share: null, lpips_photo: null}\n")


def register_lite(root: Path, gain: float, style: str = "cel", **figures: str) -> int:
    """A lite network as the newest version of `style`, with other `figures` of its evaluation; its number."""
    folder = root / "artifacts" / style
    make_lite(folder / "exports" / "int8.onnx", gain)
    file = folder / "evaluation" / "int8.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"gain": gain, **figures}))
    return int(register(root, [style])[-1].split()[1])


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """A flow in the current folder, with MLflow's store there too."""
    return ended(start(module, *arguments, **environment))


def ended(process: subprocess.Popen) -> subprocess.CompletedProcess:
    out, err = process.communicate(timeout=400)
    assert "Traceback" not in out + err, out + err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start(module: str, *arguments: str, python: str = "", **environment: str) -> subprocess.Popen:
    """It is forked unless a `python` is named."""
    return subprocess.Popen(
        [python or forking_python(), "-m", module, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def make_retrainable(root: Path) -> None:
    """A toy project whose stages depend on photos and frames: the more photos, the nearer the lite network."""
    relax_latency(root)
    for folder in ("photos", "frames"):
        shutil.rmtree(root / folder)
    draw_pictures(root / "photos" / "train", 20, seed=1)
    draw_pictures(root / "photos" / "test" / "faces", 4, seed=2)
    for seed, style in enumerate(("cel", "ink"), start=3):
        draw_pictures(root / "frames" / style, 8, seed)
    pipeline, work = root / "dvc.yaml", root / "work.py"
    pipeline.write_text(
        pipeline.read_text().replace("      - work.py\n    params:", "      - work.py\n      - photos\n"
                                     "      - frames/${item.style}\n    params:")
    )  # fmt: skip
    text = work.read_text().replace("import base64, csv,", "import base64, csv, shutil,")
    text = text.replace(
        "def export():\n", 'PHOTOS = len(list(Path("photos/train").iterdir()))\n\n\ndef export():\n'
    ).replace('(-1.0, "int8")', '(1 - 1 / PHOTOS, "int8")')
    text = text.replace(
        '    (folder / "teacher").mkdir(parents=True, exist_ok=True)\n',
        '    shutil.copytree("photos/test", folder / "data" / "photos" / "test", dirs_exist_ok=True)\n'
        '    shutil.copytree(f"frames/{style}", folder / "data" / "frames", dirs_exist_ok=True)\n'
        '    (folder / "teacher").mkdir(parents=True, exist_ok=True)\n'
        '    (folder / "teacher" / "seen").write_text(str(len(list(Path("photos/train").iterdir()))))\n',
    )
    work.write_text(text)
