"""How a figure is written for people: alike in the README, the report, tables of flows, the studio and messages."""

from collections.abc import Callable
from math import isfinite

NONE = "-"  # what was not measured, or has no end
# How a version's figures were measured, and the metric of each gap.
PROTOCOL = (
    "latency: {engine}, {threads} threads, {size} px, {cpu} · FID: {features}, {real} frames, {fake} pictures, "
    "too large by few pictures · LPIPS ({net}) and PSNR to the teacher"
)
OF_PROTOCOL = {
    "engine": "latency_engine", "threads": "latency_threads", "size": "latency_size", "cpu": "cpu",
    "features": "fid_features", "real": "fid_real", "fake": "fid_fake", "net": "lpips_net",
}  # fmt: skip


def megabytes(value: float) -> str:
    return f"{value / 1e6:.2f} MB" if value < 1e7 else f"{value / 1e6:.0f} MB"


def count(value: float) -> str:
    return f"{value:,.0f}"


def short(value: float) -> str:
    """Large counts with three digits: 105 G, 2.14 M, 640."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def three_digits(value: float) -> str:
    """FID and KID have no natural scale: theirs is that of the features."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def times(value: float) -> str:
    return f"{value:.1f}×"


def fixed(digits: int, unit: str = "") -> Callable[[float], str]:
    """A writer of so many digits behind the point."""
    return lambda value: f"{value:.{digits}f}{unit}"


# By the key in an evaluation.
TEXTS: dict[str, Callable[[float], str]] = {
    "parameters": count,
    "macs_512": short,
    "bytes": megabytes,
    "latency_p50_ms": milliseconds,
    "speed_up": times,
    "latency_reference_ratio": times,
    "panel_overall": fixed(2),
    "peak_memory_mb": fixed(0, " MB"),
    "fid": three_digits,
    "fid_share": fixed(2),
    "kid": three_digits,
    "lpips": fixed(3),
    "lpips_photo": fixed(3),
    "lpips_reference": fixed(3),
    "psnr": fixed(1, " dB"),
    "ssim": fixed(3),
}


def text(key: str, value: float | str | None) -> str:
    """The figure `key` of an evaluation; `NONE` where there is none."""
    return TEXTS[key](value) if isinstance(value, int | float) and isfinite(value) else NONE


def interval(low: float | None, high: float | None) -> str:
    """Such as " (0.91 to 1.08)"; empty where an end is missing."""
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        return ""
    return f" ({low:.4g} to {high:.4g})"


def number(value: object, digits: int = 6) -> str:
    """Any figure whose key says nothing of how it is written: whole numbers in full, others with so many digits."""
    if value is None:
        return NONE
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return str(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:.{digits}g}"
