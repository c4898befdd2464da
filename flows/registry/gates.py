"""The gates between a network and its users: every figure against its bound."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import inf, isfinite, nan

from anime_model.figures.text import interval, number
from anime_model.pictures.message import Message
from anime_model.recipes.promote import PromoteSettings

NAMES = (
    "bytes", "latency_p95_ms", "fid", "lpips", "psnr", "lpips_photo", "style_share", "latency_ratio", "fid_to_champion",
    "lpips_to_champion", "panel",
)  # fmt: skip
AT_MOST, AT_LEAST = "at most", "at least"
Figures = Mapping[str, float | int | str]


@dataclass(frozen=True)
class Gate:
    """One figure of the challenger, and the bound that it has to keep. `champion` is the champion's, where measured.

    `low` and `high` are the ends of the figure's interval, where it has one: it fails where the whole of it does.
    """

    name: str
    figure: float
    rule: str
    bound: float
    champion: float = nan
    low: float = nan
    high: float = nan
    overridden: bool = False  # by a person, who says why

    @property
    def counts(self) -> bool:
        """Whether it stands in the way of nobody."""
        return self.passed or self.overridden

    @property
    def passed(self) -> bool:
        """A figure that is no number passes no gate."""
        if self.rule == AT_MOST:
            return (self.low if isfinite(self.low) else self.figure) <= self.bound
        return (self.high if isfinite(self.high) else self.figure) >= self.bound

    @property
    def measured(self) -> str:
        """The figure with its interval, as people read it."""
        if not interval(self.low, self.high):
            return number(self.figure)
        ends = {"low": f"{self.low:.4g}", "high": f"{self.high:.4g}"}
        return Message("{figure} ({low} to {high})", figure=number(self.figure), **ends)

    @property
    def failure(self) -> Message:
        """Which gate it fails, and by how much."""
        text = "{gate} failed: {figure}, at most {bound}"
        if self.rule == AT_LEAST:
            text = "{gate} failed: {figure}, at least {bound}"
        return Message(text, gate=self.name, figure=self.measured, bound=number(self.bound))

    @property
    def summary(self) -> str:
        verdict = "passed" if self.passed else "failed, overridden" if self.overridden else "failed"
        return f"{verdict}: {self.measured}, {self.rule} {number(self.bound)}"

    def row(self) -> dict[str, str | float | bool | None]:
        """For JSON, which has no infinity."""
        numbers = {
            key: value if isinstance(value, str) or isfinite(value) else None for key, value in asdict(self).items()
        }
        return {**numbers, "passed": self.passed}


def gates(
    settings: PromoteSettings, challenger: Figures, champion: Figures | None = None, panel: float | None = None
) -> list[Gate]:
    """Every gate that applies: those relative to the champion where there is one, the panel's where people rated."""
    return [*_absolute(settings, challenger, champion or {}), *_relative(settings, challenger, champion or {})] + (
        [Gate("panel", panel, AT_LEAST, settings.panel)] if panel is not None and settings.panel is not None else []
    )


def _absolute(settings: PromoteSettings, challenger: Figures, champion: Figures) -> Iterator[Gate]:
    for name in ("bytes", "latency_p95_ms", "fid", "lpips", "psnr", "lpips_photo"):
        bound = getattr(settings, name)
        if bound is not None:
            rule = AT_LEAST if name in ("psnr", "lpips_photo") else AT_MOST
            yield Gate(name, _figure(challenger, name), rule, bound, _figure(champion, name) if champion else nan)
    if settings.style_share is not None:
        yield Gate("style_share", _share(challenger), AT_MOST, settings.style_share, _share(champion))


def _relative(settings: PromoteSettings, challenger: Figures, champion: Figures) -> Iterator[Gate]:
    if champion and settings.latency_ratio is not None:
        middle, low, high = (_figure(challenger, f"latency_ratio{end}") for end in ("", "_low", "_high"))
        yield Gate("latency_ratio", middle, AT_MOST, settings.latency_ratio, low=low, high=high)
    for name, key in (("fid_ratio", "fid"), ("lpips_ratio", "lpips")):
        times = getattr(settings, name)
        if champion and times is not None:
            own, theirs = _figure(challenger, key), _figure(champion, key)
            yield Gate(f"{key}_to_champion", own, AT_MOST, times * theirs, theirs)


def _share(figures: Figures) -> float:
    """FID to the frames over the untouched photos': of the scenes, or of all sets where there is no such set.

    Frames are mostly scenes; photos of faces are far from them whatever is done to them.
    """
    return _figure(figures, "fid_share_scenes" if "fid_share_scenes" in figures else "fid_share")


def _figure(figures: Figures, name: str) -> float:
    """PSNR is left out of the figures where the pictures are the teacher's own: then it has no end."""
    return float(figures.get(name, inf if name == "psnr" else nan))
