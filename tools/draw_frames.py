"""Frames for a style that has no film: `python -m tools.draw_frames NETWORK.onnx PHOTOS COUNT OUT`.

A published network draws COUNT photos of the folder PHOTOS, evenly spread over its names, at a short side of 512 px.
OUT gets <folder>-<photo>.png beside what it holds; a file that is there stays. FID and KID to such frames tell how near
pictures are to those of the network, on other photos, and nothing about a film.
"""

from pathlib import Path

from anime_model.pictures.arrays import picture_files, read_picture, write_picture
from anime_model.reference.network import PublishedNetwork
from anime_model.reference.probe import open_reference
from anime_model.reference.scales import scaled
from tasks.shared import common

SIDE = 512  # px, as the test photos


def main(arguments: list[str]) -> None:
    photos, out = Path(arguments[1]), Path(arguments[3])
    picked, network = spread(photos, count_of(arguments[2])), open_reference(Path(arguments[0]))
    for done, photo in enumerate(picked, 1):
        draw(network, photo, out / f"{photos.name}-{photo.stem}.png")
        common.show(done, len(picked), {})
    print(f"{len(picked)} frames of {photos} in {out}")


def count_of(text: str) -> int:
    """A number of photos as an argument. Raises `ValueError`."""
    if not text.isdecimal():
        raise ValueError(f"{text}: a number of photos is expected")
    return int(text)


def draw(network: PublishedNetwork, photo: Path, target: Path) -> None:
    """The network's picture of a photo, its short side `SIDE` px. Raises `NetworkError`, `ValueError`, `OSError`."""
    if target.exists():
        return
    picture = read_picture(photo)
    write_picture(target, network(scaled(picture, SIDE / min(picture.shape[:2]))))


def spread(folder: Path, count: int) -> list[Path]:
    """`count` photos of a folder, evenly spread over its sorted names. Raises `ValueError` where it has fewer."""
    files = picture_files(folder)
    if len(files) < count:
        raise ValueError(f"{folder}: holds {len(files)} pictures, {count} are asked for")
    return [files[place * len(files) // count] for place in range(count)]


if __name__ == "__main__":
    common.run(main, "NETWORK.onnx PHOTOS COUNT OUT")
