"""A small project of the same shape as the real one: two styles, three stages, and commands that take a second."""

import subprocess
import sys
from pathlib import Path

AUTHOR = ("-c", "user.name=toy", "-c", "user.email=toy@example.org")
PIPELINE = """
stages:
  train_teacher:
    matrix:
      style: ${styles}
    cmd: python work.py train ${item.style} ${prune.rounds}
    deps:
      - work.py
    params:
      - prune.rounds
    outs:
      - artifacts/${item.style}/data
      - artifacts/${item.style}/teacher
  export:
    matrix:
      style: ${styles}
    cmd: python work.py export ${item.style}
    deps:
      - work.py
      - artifacts/${item.style}/teacher
    outs:
      - artifacts/${item.style}/exports
  evaluate:
    matrix:
      style: ${styles}
    cmd: python work.py evaluate ${item.style}
    deps:
      - work.py
      - artifacts/${item.style}/exports
    outs:
      - artifacts/${item.style}/evaluation
"""
RECIPE = """
styles: [cel, ink]
seed: 1
perceptual: embedded
data: {photos: photos, frames: frames, generate: []}
training: {threads: 2}
teacher: {warm_up_steps: 0, steps: 3, weights: {adversarial: 1, content: 1, style: 1, colour: 1, variation: 1}}
replace_convs: {layers: []}
prune: {rounds: 3, sparsity_steps: 0}
distill: {}
quantize: {}
evaluate: {latency_threads: 2}
distillation: {weights: {pixel: 1}}
"""
# Each stage writes what the real one writes, as far as the flow reads it. `trace.txt` gets when a stage began and
# ended; TOY, such as "fail export@ink, die export@cel", makes stages fail, hang or die (once).
WORK = """
import base64, csv, json, os, subprocess, sys, time
from pathlib import Path

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGNkaGhgYGBgYmBgYGBgAAALqgEE5z0TngAAAABJRU5ErkJggg=="
stage, style = sys.argv[1:3]
name = {"train": "train_teacher"}.get(stage, stage) + "@" + style
folder = Path("artifacts") / style


def trace(event):
    with open("trace.txt", "a") as file:
        file.write(f"{event} {name} {time.time()}\\n")


def misbehave():
    troubles = dict(reversed(trouble.split()) for trouble in os.environ.get("TOY", "").split(",") if trouble)
    how = troubles.get(name)
    if how == "fail":
        raise ValueError("the toy breaks")
    if how == "leak":
        print(dict(os.environ), flush=True)
        raise ValueError("cannot sign with " + os.environ["AWS_SECRET_ACCESS_KEY"])
    if how == "die" and not Path("died").exists():
        Path("died").touch()
        os.kill(os.getpid(), 9)
    if how == "hang":
        child = subprocess.Popen(["sleep", "600"])
        Path("pids.txt").write_text(f"{os.getpid()} {child.pid}")
        print("hanging", flush=True)
        time.sleep(600)


def train(rounds):
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "prepared.json").write_text(json.dumps({"hash": f"data of {style}"}))
    (folder / "teacher").mkdir(parents=True, exist_ok=True)
    with (folder / "teacher" / "curve.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "loss"])
        for step in range(1, int(rounds) + 1):
            print(f"step {step}/{rounds} loss={1 / step:.3f}", flush=True)
            writer.writerow([step, 1 / step])
            time.sleep(0.1)


def export():
    from onnx import TensorProto, helper, save

    (folder / "exports").mkdir(parents=True, exist_ok=True)
    for gain, variant in ((1.0, "teacher"), (-1.0, "int8")):
        shape = (TensorProto.FLOAT, [1, 3, "h", "w"])
        photo, anime = (helper.make_tensor_value_info(end, *shape) for end in ("photo", "anime"))
        scale = helper.make_tensor("gain", TensorProto.FLOAT, [], [gain])
        times = helper.make_node("Mul", ["photo", "gain"], ["anime"])
        graph = helper.make_graph([times], style, [photo], [anime], [scale])
        opset = [helper.make_opsetid("", 17)]
        save(helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "exports" / f"{variant}.onnx")


def evaluate():
    (folder / "evaluation").mkdir(parents=True, exist_ok=True)
    shown = folder / "evaluation" / "pictures" / "faces" / "one"
    shown.mkdir(parents=True, exist_ok=True)
    for name in ("photo", "teacher", "int8"):
        (shown / f"{name}.jpg").write_bytes(base64.b64decode(PICTURE))
    rows = []
    for variant, fid, psnr in (("teacher", 10.5, None), ("int8", 12.25, 31.5)):
        onnx = folder / "exports" / f"{variant}.onnx"
        rows.append({
            "style": style, "variant": variant, "parameters": 2143552, "bytes": onnx.stat().st_size, "fid": fid,
            "lpips": 0.1, "psnr": psnr, "latency_p50_ms": 20.0, "latency_engine": "onnxruntime", "latency_threads": 2,
            "latency_size": 512, "cpu": "toy", "fid_features": "embedded", "fid_real": 8, "fid_fake": 8,
            "lpips_net": "embedded",
        })
        (folder / "evaluation" / f"{variant}.json").write_text(json.dumps(rows[-1]))
    with (folder / "evaluation" / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    time.sleep(0.3)


trace("begin")
misbehave()
{"train": train, "export": export, "evaluate": evaluate}[stage](*sys.argv[3:])
trace("end")
"""


def make_project(root: Path) -> Path:
    """A project under git and DVC at `root`."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in (("dvc.yaml", PIPELINE), ("params.yaml", RECIPE), ("work.py", WORK)):
        (root / name).write_text(text.lstrip())
    (root / ".gitignore").write_text("/artifacts/\n/.prefect/\n/mlflow.db\n/mlruns/\n/*.txt\n/died\n")
    (root / "recipes").mkdir()
    (root / "recipes" / "demo.yaml").write_text(RECIPE.lstrip())
    for command in ("git init -q", f"{sys.executable} -m dvc init -q", "git add -A"):
        subprocess.run(command.split(), cwd=root, check=True)
    commit = "git -c user.name=toy -c user.email=toy@example.org commit -qm toy"
    subprocess.run(commit.split(), cwd=root, check=True)
    for folder in ("photos/train", "photos/test/faces", "frames/cel", "frames/ink"):
        (root / folder).mkdir(parents=True)
        for number in range(4):
            (root / folder / f"{number}.png").touch()  # no stage reads them, and git does not have them
    return root


def dvc(*arguments: str, folder: Path | str = ".") -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True, capture_output=True)


def git(*arguments: str, folder: Path | str = ".") -> None:
    subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, check=True, capture_output=True)
