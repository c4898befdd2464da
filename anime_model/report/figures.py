"""What each figure is called, how it is set, what it means to a person, and the protocol that goes with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from anime_model.figures.text import TEXTS, fixed, short, three_digits

Metrics = Mapping[str, float | int | str]

PUBLISHED = "inception-2048"  # the features of published FID figures
BUSY = 0.1  # others' part of the processors above which a latency is marked


@dataclass(frozen=True)
class Figure:
    """`bar` draws a figure as a share of the column's largest; `note` names its entry in `protocol`.

    `also` is the key of a second figure, set small below the first, with the words before it; `interval` sets `key`_low
    and `key`_high there. `of_pictures` tells what a network draws from what it costs.
    """

    key: str
    name: str
    text: Callable[[float], str]
    note: str
    bar: bool = False
    meaning: str = ""
    also: tuple[str, str] = ("", "")
    interval: bool = False
    of_pictures: bool = False


FIGURES = (
    Figure(
        "parameters", "Parameters", short, "counts", True,
        "Numbers that the network has learned. They decide how large its file is.",
    ),
    Figure(
        "macs_512", "MACs", TEXTS["macs_512"], "counts", True,
        "Multiplications for one picture of 512 × 512 pixels: the work, whatever machine does it.",
    ),
    Figure("bytes", "File", TEXTS["bytes"], "", True, "What a person downloads."),
    Figure(
        "latency_p50_ms", "Latency", TEXTS["latency_p50_ms"], "latency", True,
        "The time that one picture takes: half of the runs took no longer, and 95 of 100 no longer than p95.",
        ("p95", "latency_p95_ms"),
    ),
    Figure(
        "speed_up", "Speed-up", TEXTS["speed_up"], "latency", False,
        "How many times faster than the teacher it is.",
    ),
    Figure(
        "latency_reference_ratio", "Speed-up", TEXTS["latency_reference_ratio"], "latency", False,
        "How many times faster than the published network it is, in the same run.",
    ),
    Figure(
        "peak_memory_mb", "Memory", TEXTS["peak_memory_mb"], "memory", True,
        "The most memory that a small program needs to turn one picture.",
    ),
    Figure(
        "fid", "FID", TEXTS["fid"], "features", False,
        "How far the collection of pictures is from the collection of style frames, in the eyes of a network. "
        "Lower is nearer to the style.", interval=True, of_pictures=True,
    ),
    Figure(
        "fid_share", "FID share", TEXTS["fid_share"], "features", False,
        "FID over that of the untouched photos. At 1 a network might as well have done nothing; below, its pictures "
        "are nearer to the style than the photos are.", interval=True, of_pictures=True,
    ),
    Figure(
        "kid", "KID", TEXTS["kid"], "features", False,
        "The same question by a formula that is fair to small collections. Lower is nearer.",
        ("±", "kid_deviation"), of_pictures=True,
    ),
    Figure(
        "lpips", "LPIPS", TEXTS["lpips"], "lpips", False,
        "How different a picture looks from the teacher's of the same photo, in the eyes of a network that was taught "
        "by people's judgement. 0 is no difference.", of_pictures=True,
    ),
    Figure(
        "lpips_photo", "LPIPS", TEXTS["lpips_photo"], "lpips", False,
        "How different a picture looks from the photo itself. Near 0 it is still a photo, however near to its teacher.",
        of_pictures=True,
    ),
    Figure(
        "lpips_reference", "LPIPS", TEXTS["lpips_reference"], "lpips", False,
        "How different a picture looks from what the published network makes of the same photo.", of_pictures=True,
    ),
    Figure(
        "psnr", "PSNR", fixed(1), "fidelity", False,
        "How near the pixels are to the teacher's. Higher is nearer; 6 dB more is half the error.", of_pictures=True,
    ),
    Figure(
        "ssim", "SSIM", TEXTS["ssim"], "fidelity", False,
        "How near edges and texture are to the teacher's. 1 is equal.", of_pictures=True,
    ),
)  # fmt: skip

# Under the name in a table's head.
UNITS = {
    "speed_up": "over the teacher",
    "latency_reference_ratio": "over the reference",
    "fid_share": "of the photos'",
    "lpips": "to the teacher",
    "lpips_photo": "to the photo",
    "lpips_reference": "to the reference",
    "macs_512": "at 512 × 512",
    "latency_p50_ms": "median",
    "peak_memory_mb": "at the peak",
    "psnr": "dB",
}


def unit(figure: Figure, metrics: Metrics) -> str:
    """What stands under a figure's name: what it is to, or the features that it is made with."""
    return str(metrics.get("fid_features", "")) if figure.key == "fid" else UNITS.get(figure.key, "")


def named(figure: Figure) -> str:
    """A figure's name in a list, where no column head tells it from its like."""
    alike = figure.key.startswith("lpips") or figure.name == "Speed-up"
    return f"{figure.name} {UNITS[figure.key]}" if alike else figure.name


def protocol(metrics: Metrics) -> dict[str, str]:
    """How the figures of a run were made, by the `note` of a `Figure`; `metrics` are those of any one variant."""
    return {
        "counts": "Counted in the file that ships, batch norm folded; MACs are those of the convolutions.",
        "latency": _latency(metrics),
        "memory": "The most that a fresh process held, ONNX Runtime and numpy alone, for one picture of 512 × 512.",
        "features": _features(metrics),
        "lpips": _lpips(metrics),
        "fidelity": "Against the teacher's picture of the same photo; PSNR is the mean over photos, SSIM over RGB too.",
    }


def _latency(metrics: Metrics) -> str:
    shown = {key: metrics.get(f"latency_{key}", "?") for key in ("engine", "threads", "size", "repeats")}
    text = (
        "{engine}, {threads} threads, one picture of {size} × {size}, the network alone; {repeats} rounds in which all "
        "variants took turns"
    ).format(**shown)
    text += ", each right after a picture of its own" if metrics.get("latency_untimed") else ""
    text += f", on {metrics.get('cpu', 'an unknown processor')} ({metrics.get('instruction_set', '?')})."
    busy = float(metrics.get("latency_machine_busy", 0))
    return text + (f" The machine was not idle: others used {busy:.0%} of its processors." if busy > BUSY else "")


def _features(metrics: Metrics) -> str:
    name = str(metrics.get("fid_features", ""))
    network = "this project's own small network" if name == "embedded" else f"Inception-v3, layer {name[10:]}"
    published = "" if name == PUBLISHED else "; not comparable with published FID, which uses layer 2048"
    return (
        f"Features of {network}: {metrics.get('fid_fake', '?')} square cuts of stylised photos against "
        f"{metrics.get('fid_real', '?')} of style frames{published}. {bias(metrics)} Small below: 95 % intervals and "
        "the standard deviation by a bootstrap over photos "
        f"({metrics.get('fid_resamples', '?')} resamples, frames kept)."
    )


def bias(metrics: Metrics) -> str:
    """What has to be known of FID's small-sample bias beside a table."""
    size = metrics.get("fid_bias")
    found = f": with half of these photos it would be {three_digits(float(size))} larger" if size is not None else ""
    cuts = "KID by little: several cuts of one picture count as several"
    return f"FID of few pictures is too large, about alike for all rows{found}; {cuts}."


def _lpips(metrics: Metrics) -> str:
    name = metrics.get("lpips_net", "")
    if name == "embedded":
        return "LPIPS (embedded): by this project's own small network, not comparable with other LPIPS figures."
    return f"LPIPS 0.1 with the {name} network, between two pictures of the same photo."
