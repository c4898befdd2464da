"""Makes the enlarger's file that ships: `python -m tools.ship_enlarger FILE.safetensors`, with its card beside it.

The card's figures are those of `results/stroke.json`, which `python -m benchmarks.stroke` writes.
"""

import json
import os
import sys
from pathlib import Path

import onnx
import torch

from anime_model.compression.export import OPSET, ExportError, run_onnx
from anime_model.networks.checkpoint import CheckpointError
from anime_model.networks.enlarger import Enlarger, load_enlarger
from anime_model.networks.onnx_spelling import spell_for_onnx_runtime
from anime_model.runtime.models import ENLARGERS

SIZES = ((64, 64), (52, 101), (9, 33))
TOLERANCE = 1e-3  # largest difference of any value in [-1, 1]
NAMES = {2: "two", 4: "four"}
FIGURES = Path("results/stroke.json")


def main() -> None:
    try:
        (source,) = map(Path, sys.argv[1:])
        enlarger, notes = load_enlarger(source)
        target = ENLARGERS[enlarger.factor]
        export(enlarger, target)
        target.with_suffix(".md").write_text(card(enlarger, notes, target))
        print(f"wrote {target} and its card")
    except (CheckpointError, ExportError, OSError) as error:
        sys.exit(f"error: {error}")


def export(enlarger: Enlarger, path: Path) -> None:
    """ONNX: `photo` float32 [1, 3, H, W] in [-1, 1] to `anime`, `enlarger.factor` times as high and wide, as the
    styles' files; verified before it takes its place. Raises `ExportError`."""
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    sides = {2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)}
    torch.onnx.export(
        enlarger,
        (torch.zeros(1, 3, 64, 96),),
        part,
        input_names=["photo"],
        output_names=["anime"],
        dynamic_shapes={"picture": sides},
        opset_version=OPSET,
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    model = onnx.load(part)
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]  # the exporter's notes name folders of the machine
    onnx.helper.set_model_props(model, {"receptive_radius": str(enlarger.radius), "enlarges": str(enlarger.factor)})
    spell_for_onnx_runtime(model)
    onnx.save(model, part)
    verify(enlarger, part, path)
    os.replace(part, path)


def verify(enlarger: Enlarger, part: Path, path: Path) -> None:
    for size in SIZES:
        given = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
        with torch.no_grad():
            gap = float((run_onnx(part, given) - enlarger(given)).abs().max())
        if not gap <= TOLERANCE:
            raise ExportError(f"{path}: differs from the network by {gap:.1e} at {size}")


def card(enlarger: Enlarger, notes: dict, path: Path) -> str:
    factor = enlarger.factor
    count = sum(weight.numel() for weight in enlarger.parameters())
    told = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    held = told.get("held_out", {}).get(str(factor), {})
    rows = "".join(
        f"\n| {name} | {row['lpips']:.4f} | {row['psnr']:.2f} |" for name, row in held.get("rows", {}).items()
    )
    table = f"\n\n| enlarged by | LPIPS (squeeze) | PSNR, dB |\n| --- | --- | --- |{rows}\n" if rows else ""
    return (
        f"# {path.name}\n\n"
        f"Enlarges a drawing to {NAMES[factor]} times its size with its lines crisp: {count:,} parameters, "
        f"{path.stat().st_size / 1e6:.2f} MB, float. Input `photo` and output `anime`:\n"
        f"float32 [1, 3, H, W] and [1, 3, {factor}H, {factor}W] in [-1, 1]. It adds to a plain "
        "enlargement, at the low resolution, what a few 3x3 convolutions see.\n\n"
        f"- **Made by** the training step of `python -m tools.train_enlarger`: {notes.get('steps', '?')} steps of "
        f"{notes.get('batch', '?')} crops of {notes.get('side', '?')} px; Charbonnier's distance of pixels and edges.\n"
        "- **Data**: frames of films, copyrighted, used for research and neither contained nor redistributed; every "
        "eighth held out.\n"
        "- **Licence**: research and private use, as the styles'.\n"
        f"- **Figures** on frames held out, made {NAMES[factor]} times smaller and enlarged again "
        "(`python -m benchmarks.stroke`):"
        f"{table or ' none yet.'}\n"
    )


if __name__ == "__main__":
    main()
