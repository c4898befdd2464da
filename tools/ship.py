"""Makes the release files of a style: `python -m tools.ship WHAT STYLE`. Not a stage: a person decides what ships.

WHAT is "teacher" (a trained one, in half precision, into models/teachers/; its upsampling set to half-pixel centres, so
that every pixel of a picture of any size is interpolated alike) or "lite" (an evaluated network into
anime_model/weights/, some figures inside it, its card beside it, and into models/lite/ to train on or to time).
"""

import json
from dataclasses import replace
from pathlib import Path

import onnx
import yaml

from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.pictures.atomic import write_whole
from anime_model.runtime.names import LITE
from tasks.export import QUANTIZED
from tasks.shared import common

WEIGHTS = Path("anime_model/weights")
TEACHERS = Path("models/teachers")
NETWORKS = Path("models/lite")
KEPT = ("parameters", "macs_512", "bytes", "latency_engine", "latency_threads", "cpu", "fid", "fid_features", "lpips")
IMITATED = (
    "the network learned from the pictures of {}, and carries its terms: non-commercial purposes such as research, "
    "teaching and publications; commercial use needs its author's permission."
)
SOURCES = Path(__file__).with_name("sources.yaml")
UNKNOWN_SOURCES = dict.fromkeys(("photos", "frames"), "of whoever made this style, whose terms hold")
CARD = Path(__file__).with_name("card.md")


def main(arguments: list[str]) -> None:
    what, style = arguments
    if what not in SHIPPED:
        raise ValueError(f"{what!r} is none of {', '.join(SHIPPED)}")
    SHIPPED[what](style, Path("artifacts", style))


def ship_teacher(style: str, artifacts: Path) -> None:
    source, target = artifacts / "teacher/teacher.safetensors", TEACHERS / f"{style}.safetensors"
    trained = load_generator(source)
    trained.arch = replace(trained.arch, upsample="half_pixel")
    save_generator(target, trained.half(), **read_notes(source))
    print(f"wrote {target}")


def ship_lite(style: str, artifacts: Path) -> None:
    lite, teacher = (common.read_json(artifacts / f"evaluation/{name}.json") for name in (LITE, "teacher"))
    model = onnx.load(artifacts / f"exports/{LITE}.onnx")
    properties = {item.key: item.value for item in model.metadata_props}
    card = {"style": style, **{key: lite[key] for key in KEPT}}
    onnx.helper.set_model_props(model, properties | {"card": json.dumps(card)})
    write_whole(WEIGHTS / f"{style}.onnx", model.SerializeToString())
    network = artifacts / QUANTIZED
    save_generator(NETWORKS / f"{style}.safetensors", load_generator(network), **read_notes(network))
    notes = read_notes(artifacts / "teacher/teacher.safetensors")
    write_whole(WEIGHTS / f"{style}.md", text(style, artifacts, lite, teacher, notes))
    print(f"wrote {WEIGHTS / style}.onnx, its card and {NETWORKS / style}.safetensors")


def text(style: str, artifacts: Path, lite: dict, teacher: dict, notes: dict) -> str:
    """The model card, its figures from the metrics files."""
    data = common.read_json(artifacts / "data/prepared.json")
    sources = yaml.safe_load(SOURCES.read_text()).get(style, UNKNOWN_SOURCES)
    if "learned_from" in notes:  # a file's name, where the teacher learned by the clock
        notes = notes | {"learned_from": sources.get("published", notes["learned_from"])}
    return CARD.read_text().format(
        **{key: lite[key] for key in ("parameters", "fid", "fid_features", "fid_photos", "lpips", "lpips_net", "cpu")},
        style=style,
        megabytes=lite["bytes"] / 1e6,
        photos=data["photos"],
        frames=data["frames"],
        photo_source=sources["photos"],
        frame_source=sources["frames"],
        teacher_fid=teacher["fid"],
        latency=lite["latency_p50_ms"],
        faster=teacher["latency_p50_ms"] / lite["latency_p50_ms"],
        latency_engine=lite["latency_engine"],
        latency_threads=lite["latency_threads"],
        origin=_origin(notes),
        terms=IMITATED.format(notes["learned_from"]) if "learned_from" in notes else "research and private use.",
    )


def _origin(notes: dict) -> str:
    """What the teacher went through, after its notes."""
    if "learned_from" in notes:
        steps = f" for {notes['trained_steps']:,} steps" if "trained_steps" in notes else ""
        return f"learned the pictures of **{notes['learned_from']}**{steps}"
    return f"was trained for {notes['trained_steps']:,} adversarial steps as its notes say"


SHIPPED = {"teacher": ship_teacher, "lite": ship_lite}

if __name__ == "__main__":
    common.run(main, "WHAT STYLE")
