"""What each step of the compression buys, and the front of latency against LPIPS.

`python -m benchmarks.explore STYLE STEPS`: every trial starts from the teacher of artifacts/STYLE and trains for STEPS
steps in all, as params.yaml has it for the replaced convolutions; then all files are measured side by side. The stages
of the release are those of results/release.json, their latency as a share of the teacher's. Writes results/explore.json
and docs/front.svg. Trained networks are kept in scratch/explore/: a run that was broken off goes on with the next
trial.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from anime_model.compression.distillation import Lesson, distill
from anime_model.compression.export import export_int8_onnx, export_onnx
from anime_model.compression.norms import gather_statistics
from anime_model.compression.pruning import cut
from anime_model.compression.quantization import quantize
from anime_model.compression.reconstruction import reconstruct
from anime_model.compression.separable import replace_convs
from anime_model.metrics.batches import pairs
from anime_model.metrics.fidelity import fidelity
from anime_model.metrics.latency import cpu_name, measure_onnx
from anime_model.metrics.lpips import load_distance, lpips_distance
from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.networks.cost import count_macs, count_parameters
from anime_model.networks.generator import Generator
from anime_model.pictures.arrays import picture_files, read_picture
from anime_model.pictures.sampling import spread
from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.recipe import Recipe, load_recipe
from anime_model.report.baselines import BASELINES
from anime_model.runtime.stylizer import Stylizer
from anime_model.training.loop import Training
from tasks.quantize import kept_plan
from tasks.shared import common, distilling, learning

RESULTS = Path("results/explore.json")
RELEASE = Path("results/release.json")
CHART = Path("docs/front.svg")
PHOTOS = 48  # of the test photos, spread over them
CROP = 192  # pixels: more steps in the same time than with nearly the whole photo
PRUNED = 0.25  # share of the parameters or MACs that the pruned trials keep


@dataclass(frozen=True)
class Trial:
    """One network: which part of its MACs stays, what is separable, which losses it learns from.

    `surgery` changes the recipe's replacements; kernels are as published unless it names some.
    """

    note: str
    keep: float = PRUNED
    surgery: dict[str, object] = field(default_factory=dict)
    from_teacher: bool = True
    losses: dict[str, float] = field(default_factory=dict)  # changes of the recipe's weights
    kl_share: float | None = None
    table: str = "ablation"


PIXEL_ONLY = {"content": 0.0, "style": 0.0, "feature": 0.0}
ARTICLE = ("b0", "b1", "c0", "c5", "d0", "d1")
LAST_WIDE = "e2"
TRIALS = {
    "separable": Trial("separable convolutions alone", keep=1),
    "pruned": Trial("pruning alone, standard convolutions", surgery={"layers": ()}),
    "both": Trial("separable and pruned, all losses"),
    "both-noise": Trial("the same, started from noise instead of the teacher", from_teacher=False),
    "both-pixel": Trial("the same, pixel loss only", losses=PIXEL_ONLY, kl_share=0),
    "both-no-kl": Trial("the same without KL", kl_share=0),
    "both-no-feature": Trial("the same without feature matching", losses={"feature": 0.0}),
    "both-article": Trial(
        "the same MACs, separable in the late encoder and the middle decoder only", surgery={"layers": ARTICLE}
    ),
    "both-resize": Trial("the same MACs, upsampled to full size as published", surgery={"tail": "resize"}),
    "both-kernel-3": Trial(
        "the same MACs, 3x3 instead of 7x7 in the last wide layer", surgery={"kernels": {LAST_WIDE: 3}}
    ),
    "keep-50": Trial("50 % of the MACs", keep=0.5, table="front"),
    "keep-35": Trial("35 % of the MACs", keep=0.35, table="front"),
    "keep-15": Trial("15 % of the MACs", keep=0.15, table="front"),
    "keep-08": Trial("8 % of the MACs", keep=0.08, table="front"),
}
INT8 = ("both", "keep-35")  # also quantized: all but the ends, so that rounding and what heals it show
ENDS = ("layers.a0", "out")
Row = dict[str, float | int | str]


@dataclass(frozen=True)
class Bench:
    """What all trials share."""

    recipe: Recipe
    steps: int
    lesson: Lesson
    training: Training
    scratch: Path

    @property
    def settings(self) -> DistillSettings:
        return replace(self.recipe.replace_convs.fine_tune, crop=CROP)


def main() -> None:
    style, steps = sys.argv[1], int(sys.argv[2])
    artifacts, recipe = Path("artifacts", style), load_recipe("params.yaml")
    recipe = replace(recipe, replace_convs=replace(recipe.replace_convs, kernels={}))  # but for a trial's own
    bench = prepare(artifacts, recipe, style, steps)
    rows = [row for name, trial in TRIALS.items() for row in make(bench, name, trial)]
    files = {str(row["trial"]): bench.scratch / f"{row['trial']}.onnx" for row in rows}
    rows = judge(artifacts, bench.scratch, rows, files, recipe)
    rows += released(json.loads(RELEASE.read_text()), style, float(rows[0]["teacher_ms"]))
    protocol = {"style": style, "steps": steps, "photos": PHOTOS, "cpu": cpu_name(), "lpips_net": recipe.evaluate.lpips}
    protocol |= {"teacher_md5": read_notes(artifacts / "teacher/teacher.safetensors").get("md5", "")}
    protocol |= {"importance": recipe.prune.importance, "precision": learning.precision(recipe.training)}
    protocol |= {"batch": bench.settings.batch, "crop": bench.settings.crop, "teacher_ms": rows[0]["teacher_ms"]}
    common.write_json(RESULTS, protocol | {"rows": rows})
    chart(json.loads(RESULTS.read_text()))
    print(f"wrote {RESULTS} and {CHART}")


def prepare(artifacts: Path, recipe: Recipe, style: str, steps: int) -> Bench:
    torch.set_num_threads(recipe.training.threads)
    fabric = Fabric(accelerator=recipe.training.accelerator, devices=1, precision=learning.precision(recipe.training))
    fabric.launch()
    teacher, data = artifacts / "teacher/teacher.safetensors", artifacts / "data"
    scratch = Path("scratch/explore", f"{style}-{steps}-{learning.fingerprint('distill', recipe, [teacher])}")
    training = Training(scratch / "resume", recipe.seed, fabric)
    lesson = distilling.lesson(
        recipe.perceptual, recipe.distill.fine_tune, teacher, data, data.parent / "reference/pictures", fabric.device
    )
    return Bench(recipe, steps, lesson, training, scratch)


def make(bench: Bench, name: str, trial: Trial) -> Iterator[Row]:
    """Trains one trial, exports its files and yields a row for each; work that is done already is taken up."""
    file = bench.scratch / f"{name}.safetensors"
    if not file.exists():
        save_generator(file, trained(bench, name, trial).cpu())
    student = load_generator(file)
    costs = {"parameters": count_parameters(student.arch), "macs_512": count_macs(student.arch)}
    if not (whole := file.with_suffix(".onnx")).exists():
        export_onnx(student, whole)
    print(f"{name}: {costs['parameters']:,} parameters", flush=True)
    yield {"trial": name, "note": trial.note, "table": trial.table, **costs}
    for kind, steps in (("ptq", 0), ("qat", max(1, bench.steps // 4))) if name in INT8 else ():
        if not (target := bench.scratch / f"{name}-{kind}.onnx").exists():
            quantized(bench, load_generator(file), steps, f"{name}-{kind}", target)
        training = f"INT8, {steps} further steps with fake quantization" if steps else "INT8 after calibration alone"
        yield {"trial": f"{name}-{kind}", "note": f"{trial.note}, {training}", "table": trial.table, **costs}


def trained(bench: Bench, name: str, trial: Trial) -> Generator:
    """From the teacher to the trial's network; a pruned one spends a quarter of the steps before it is pruned."""
    settings = replace(bench.settings, weights={**bench.settings.weights, **trial.losses})
    if trial.kl_share is not None:
        settings = replace(settings, kl_share=trial.kl_share)
    student = replace_convs(bench.lesson.teacher.cpu(), replace(bench.recipe.replace_convs, **trial.surgery))
    photos = bench.lesson.photos.fixed(16, settings.crop).cpu()
    reconstruct(student, bench.lesson.teacher, photos)
    steps = bench.steps
    if trial.keep < 1:
        before = bench.steps // 4
        distill(f"{name}-before", student, bench.lesson, replace(settings, steps=before), bench.training)
        steps -= before
        rule = replace(bench.recipe.prune, budget="macs")
        amount = round(macs_of_separable(bench) * trial.keep)
        student = cut(student.cpu(), bench.lesson.teacher.cpu(), photos, rule, amount)
    if not trial.from_teacher:
        torch.manual_seed(bench.recipe.seed)
        student, steps = Generator(student.arch), bench.steps
    distill(name, student, bench.lesson, replace(settings, steps=steps), bench.training)
    gather_statistics(student.cpu(), photos.split(4))  # those of a few small batches are noise
    return student


def macs_of_separable(bench: Bench) -> int:
    return count_macs(replace_convs(bench.lesson.teacher.cpu(), bench.recipe.replace_convs).arch)


def quantized(bench: Bench, student: Generator, steps: int, name: str, target: Path) -> None:
    settings = bench.recipe.quantize
    tune = replace(settings.fine_tune, steps=steps)
    settings = replace(settings, fine_tune=tune, calibration=16, keep_float=ENDS)
    recipe = replace(bench.recipe, quantize=settings)
    calibration = bench.lesson.photos.fixed(settings.calibration, tune.crop).cpu()
    decided = kept_plan(recipe, student, bench.lesson.photos, bench.scratch / name.rpartition("-")[0])
    training = replace(bench.training, scratch=bench.training.scratch / name)
    made = quantize(student, bench.lesson, settings, decided, training)
    export_int8_onnx(made.generator.cpu(), made.ranges, calibration, target, settings.weight_bits)


def released(found: list[Row], style: str, teacher_ms: float) -> list[Row]:
    """The release's stages as rows: measured in a run of their own, so the latency is that share of the teacher's."""
    rows = {row["variant"]: row for row in found if row["style"] == style and row["variant"] not in BASELINES}
    base, keys = (
        float(rows.pop("teacher")["latency_p50_ms"]),
        ("parameters", "macs_512", "bytes", "lpips", "psnr", "ssim"),
    )
    return [
        {"trial": f"release {stage}", "note": stage, "table": "release"}
        | {key: round(row[key], 4) for key in keys}
        | {"ms": round(teacher_ms * row["latency_p50_ms"] / base, 3), "teacher_ms": teacher_ms}
        | {"speed_up": round(base / row["latency_p50_ms"], 2)}
        for stage, row in rows.items()
    ]


def judge(artifacts: Path, scratch: Path, rows: list[Row], files: dict[str, Path], recipe: Recipe) -> list[Row]:
    """The rows with the size of the file, the latency beside the teacher's, and the likeness to its pictures."""
    settings = recipe.evaluate
    teacher = scratch / "teacher.onnx"
    export_onnx(load_generator(artifacts / "teacher/teacher.safetensors"), teacher)
    times = measure_onnx({"teacher": teacher, **files}, settings.latency_size, settings.latency_threads, 10)
    photos = [read_picture(file) for file in picture_files(artifacts / "data/photos/test")]
    photos = [photos[index] for index in spread(len(photos), PHOTOS)]
    wanted, distance = [Stylizer(teacher)(photo) for photo in photos], load_distance(settings.lpips)
    found = []
    for row in rows:
        path, ms = files[str(row["trial"])], times[str(row["trial"])]["latency_p50_ms"]
        made = [Stylizer(path)(photo) for photo in photos]
        likeness = lpips_distance(made, wanted, settings.lpips, distance) | fidelity(pairs(made, wanted))
        base = times["teacher"]["latency_p50_ms"]
        figures = {"bytes": path.stat().st_size, "ms": ms, "teacher_ms": base, "speed_up": round(base / ms, 2)}
        found.append(row | figures | {key: round(likeness[key], 4) for key in ("lpips", "psnr", "ssim")})
        print(f"{row['trial']}: {ms:.1f} ms, LPIPS {likeness['lpips']:.3f}", flush=True)
    return found


def chart(results: dict) -> None:
    """Latency (logarithmic) against LPIPS: the trials, the front among them, the stages of the release."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    rows = results["rows"]
    short = [row for row in rows if row["table"] == "front" or str(row["trial"]).startswith("both")]
    for kind, mark in (("", "o"), ("-ptq", "v"), ("-qat", "s")):
        chosen = [row for row in short if kind_of(row) == kind]
        label = {"": "float", "-ptq": "INT8 after calibration", "-qat": "INT8 after fine-tuning"}[kind]
        points = [(row["ms"], row["lpips"]) for row in chosen]
        axes.scatter(*zip(*points, strict=True), marker=mark, label=f"{label}, {results['steps']} steps", s=36)
    axes.step(*zip(*front(rows), strict=True), where="post", color="#999", linewidth=1, label="front")
    release = [row for row in rows if row["table"] == "release"]
    points = [(results["teacher_ms"], 0.0), *((row["ms"], row["lpips"]) for row in release)]
    axes.plot(*zip(*points, strict=True), "-D", color="#d6336c", label="release, stage by stage")
    for label, (x, y) in zip(("teacher", *(row["note"] for row in release)), points, strict=True):
        left = label in ("teacher", "int8")  # the outermost, and that beside another
        where = {"xytext": (-6 if left else 6, 6), "textcoords": "offset points", "ha": "right" if left else "left"}
        axes.annotate(label, (x, y), fontsize=9, **where)
    axes.set(xscale="log", xlabel="milliseconds for one 512x512 picture (log)", ylabel="LPIPS to the teacher")
    axes.set_ylim(bottom=-0.005)
    axes.legend(fontsize=8)
    figure.savefig(CHART, metadata={"Date": None})


def kind_of(row: Row) -> str:
    return next((kind for kind in ("-ptq", "-qat") if str(row["trial"]).endswith(kind)), "")


def front(rows: list[Row]) -> list[tuple[float, float]]:
    """Points that no other beats in both, from the fastest to the slowest."""
    best, found = float("inf"), []
    for row in sorted(rows, key=lambda row: row["ms"]):
        if row["lpips"] < best:
            best = row["lpips"]
            found.append((row["ms"], best))
    return found


if __name__ == "__main__":
    main()
