"""Makes the release files of a style: `python -m tools.ship WHAT STYLE`. Not a stage: a person decides what ships.

WHAT is "teacher" (a trained one, in half precision, into models/teachers/; its upsampling set to half-pixel centres, so
that every pixel of a picture of any size is interpolated alike) or "lite" (an evaluated network into
anime_model/weights/, some figures inside it, its card beside it, and into models/lite/ to train on or to time).

`python -m tools.ship size STYLE SIZE FOLDER` ships a style that is there in another size (nano, plus): FOLDER is the
artifacts folder of a run whose lite network is that size. Its figures become a row of results/release.json, from which
`python -m benchmarks.readme results/release.json` makes the tables.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import yaml

from anime_model.networks.checkpoint import load_generator, read_notes, save_generator
from anime_model.pictures.atomic import write_whole
from anime_model.runtime.models import SIZE, SIZES, file_name
from anime_model.runtime.names import LITE
from tasks.export import QUANTIZED
from tasks.shared import common

WEIGHTS = Path("anime_model/weights")
TEACHERS = Path("models/teachers")
NETWORKS = Path("models/lite")
RESULTS = Path("results/release.json")
RECIPE = "`recipes/release.yaml`"
SMALLER = f"`tools/imitate.py` (`polish --times`) and {RECIPE} from `quantize` on"
KEPT = ("parameters", "macs_512", "bytes", "latency_engine", "latency_threads", "cpu", "fid", "fid_features", "lpips")
IMITATED = (
    "the network learned from the pictures of {}, and carries its terms: non-commercial purposes such as research, "
    "teaching and publications; commercial use needs its author's permission."
)
SOURCES = Path(__file__).with_name("sources.yaml")
UNKNOWN_SOURCES = dict.fromkeys(("photos", "frames"), "of whoever made this style, whose terms hold") | {
    "draws": "nobody has described its pictures yet; look at some.",
    "limits": "not looked for yet.",
}
CARD = Path(__file__).with_name("card.md")


def main(arguments: list[str]) -> None:
    what, style, *rest = arguments
    if what == "size":
        size, folder = rest
        return ship_size(style, size, Path(folder))
    if what not in SHIPPED:
        raise ValueError(f"{what!r} is none of {', '.join((*SHIPPED, 'size'))}")
    SHIPPED[what](style, Path("artifacts", style))


def ship_teacher(style: str, artifacts: Path) -> None:
    source, target = artifacts / "teacher/teacher.safetensors", TEACHERS / f"{style}.safetensors"
    trained = load_generator(source)
    trained.arch = replace(trained.arch, upsample="half_pixel")
    save_generator(target, trained.half(), **read_notes(source))
    print(f"wrote {target}")


def ship_lite(style: str, artifacts: Path) -> None:
    lite, teacher = _figures(artifacts)
    ship_file(style, SIZE, artifacts, lite, teacher)
    network = artifacts / QUANTIZED
    save_generator(NETWORKS / f"{style}.safetensors", load_generator(network), **read_notes(network))
    print(f"wrote {WEIGHTS / style}.onnx, its card and {NETWORKS / style}.safetensors")


def ship_size(style: str, size: str, folder: Path) -> None:
    """`folder` holds the style's artifacts, or is them. Raises `ValueError`, `OSError` before anything is written."""
    others = [each for each in SIZES if each != SIZE]
    if size not in others:
        raise ValueError(f"{size!r} is none of {', '.join(others)}; `python -m tools.ship lite {style}` ships {SIZE}")
    if not (WEIGHTS / f"{style}.onnx").exists():
        raise ValueError(f"{style} ships in no size yet: `python -m tools.ship lite {style}` comes first")
    artifacts = artifacts_of(style, folder)
    lite, teacher = _figures(artifacts)
    if lite["style"] != style:
        raise ValueError(f"{artifacts}: holds the style {lite['style']}, not {style}")
    rows = common.read_json(RESULTS)
    name = ship_file(style, size, artifacts, lite, teacher)
    write_whole(RESULTS, json.dumps(with_size(rows, lite, teacher, size), indent=1) + "\n")
    print(f"wrote {WEIGHTS / name}.onnx, its card, and its figures to {RESULTS}")


def artifacts_of(style: str, folder: Path) -> Path:
    """A folder that holds the style's artifacts, or is them."""
    return folder / style if (folder / style).is_dir() else folder


def faster(teacher: dict, row: dict) -> float:
    """How many times as fast as the teacher of the same run."""
    return round(float(teacher["latency_p50_ms"]) / float(row["latency_p50_ms"]), 6)


def with_size(rows: list[dict], lite: dict, teacher: dict, size: str) -> list[dict]:
    """The rows of a results file with that of a size after those of its style, in the place of a former one.

    Its teacher's time in the same run stays with it: times of two runs compare with nothing.
    """
    row = lite | {"variant": size, "faster": faster(teacher, lite)}
    kept = [each for each in rows if (each["style"], each["variant"]) != (row["style"], size)]
    styles = list(dict.fromkeys([each["style"] for each in kept] + [row["style"]]))
    order = {name: place for place, name in enumerate(SIZES)}
    return sorted([*kept, row], key=lambda each: (styles.index(each["style"]), order.get(each["variant"], -1)))


def _figures(artifacts: Path) -> list[dict]:
    """Those of the lite network and of its teacher."""
    return [common.read_json(artifacts / f"evaluation/{name}.json") for name in (LITE, "teacher")]


def ship_file(style: str, size: str, artifacts: Path, lite: dict, teacher: dict, network: Path | None = None) -> str:
    """The network with figures inside, and its card beside it; the name of both.

    `network` is the run's own export where none is given.
    """
    name = file_name(style, size)
    model = onnx.load(network or artifacts / f"exports/{LITE}.onnx")
    properties = {item.key: item.value for item in model.metadata_props}
    card = {"style": style, "size": size, **{key: lite[key] for key in KEPT}}
    onnx.helper.set_model_props(model, properties | _wishes(style) | {"card": json.dumps(card)})
    notes = read_notes(artifacts / "teacher/teacher.safetensors")
    written = text(style, artifacts, lite, teacher, notes, size)
    write_whole(WEIGHTS / f"{name}.onnx", model.SerializeToString())
    write_whole(WEIGHTS / f"{name}.md", written)
    return name


def _wishes(style: str) -> dict[str, str]:
    """What the style's file asks of whoever draws with it: the working sizes at which it draws best."""
    said = yaml.safe_load(SOURCES.read_text()).get(style, {})
    return {key: str(said[key]) for key in ("stroke", "stroke_most") if key in said}


def text(style: str, artifacts: Path, lite: dict, teacher: dict, notes: dict, size: str = SIZE) -> str:
    """The model card, its figures from the metrics files."""
    data = common.read_json(artifacts / "data/prepared.json")
    sources = yaml.safe_load(SOURCES.read_text()).get(style, UNKNOWN_SOURCES)
    if "learned_from" in notes:  # a file's name, where the teacher learned by the clock
        notes = notes | {"learned_from": sources.get("published", notes["learned_from"])}
    return CARD.read_text().format(
        **{key: lite[key] for key in ("parameters", "fid", "fid_features", "fid_photos", "lpips", "lpips_net", "cpu")},
        style=style,
        name=file_name(style, size),
        recipe=sources.get("recipe", RECIPE) if size == SIZE else SMALLER,
        megabytes=lite["bytes"] / 1e6,
        photos=data["photos"],
        frames=data["frames"],
        photo_source=sources["photos"],
        frame_source=sources["frames"],
        draws=sources["draws"],
        limits=sources["limits"],
        teacher_fid=teacher["fid"],
        latency=lite["latency_p50_ms"],
        faster=faster(teacher, lite),
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
    common.run(main, "size STYLE SIZE FOLDER" if sys.argv[1:2] == ["size"] else "WHAT STYLE")
