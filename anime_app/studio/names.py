"""Names of results: what was chosen stands in them, so that two choices never have one name."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from anime_app.studio.orders import Order

MOST = 240  # bytes of a file's name; file systems take 255, and browsers add a number


def result_name(photo: str, order: Order, suffix: str, more: str = "") -> str:
    """The name of a result of the file `photo`: `river-shinkai-dusk-60.jpg`."""
    parts = [order.drawn_by, order.look.palette or ""]
    parts += ["colours" * order.look.keep_colour, f"{100 * order.look.strength:.0f}" * (order.look.strength < 1)]
    parts += [{0: "finest", None: ""}.get(order.stroke, "fine"), f"{order.size}px" * (order.size is not None), more]
    return fitting(Path(photo).stem, "-".join(["", *filter(None, parts)]) + suffix)


def fitting(stem: str, end: str) -> str:
    """Both as one name, of `stem` as much as fits; without what is a path to anyone."""
    safe = "".join("_" if char in '/\\\0:*?"<>|' or ord(char) < 32 else char for char in stem).strip(" .") or "photo"
    return safe.encode()[: MOST - len(end.encode())].decode(errors="ignore") + end


def folder_of(place: str) -> PurePosixPath:
    """The folders before a file's name in what a browser calls its relative path; nothing that leads out of them."""
    parts = [fitting(part, "") for part in place.replace("\\", "/").split("/")[:-1] if part.strip(" .")]
    return PurePosixPath(*parts)


def numbered(names: Iterable[str]) -> Iterator[str]:
    """Names of one archive: what stands there already, in any case of letters, gets a number."""
    taken: set[str] = set()
    for name in names:
        path, made, number = PurePosixPath(name), name, 1
        while made.lower() in taken:
            number += 1
            made = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        taken.add(made.lower())
        yield made
