"""Pictures of any kind in, uint8 RGB arrays out, and back to files. numpy and Pillow only."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from anime_model.pictures.atomic import whole_file
from anime_model.pictures.deep import is_deep, to_eight_bits
from anime_model.pictures.hdr import brought_to_sdr
from anime_model.pictures.message import Message, about
from anime_model.pictures.opening import HDR, SUFFIXES, Unreadable, check_file, load, open_picture

MAX_PIXELS = 200_000_000  # of all frames together; a picture of 100 million must pass, a bomb must not
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(ValueError):
    """A file that cannot be used as a picture; the message is one line: the file and the reason."""


def picture_files(folder: Path) -> list[Path]:
    """All files below `folder` with a picture's suffix, sorted; hidden files and folders are left out."""
    folder = Path(folder)
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def read_picture(path: Path) -> np.ndarray:
    """The picture as uint8 RGB [H, W, 3], upright (EXIF), transparency on white, the first frame of an animation.

    Raises `PictureError` where the file is missing, broken, too large to be a picture or of no kind that Pillow reads.
    """
    try:
        check_file(path)
        with open(path, "rb") as stream, open_picture(stream) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            return np.array(_to_rgb(_upright(load(image))))
    except Exception as error:  # decoders raise almost anything on broken data
        raise PictureError(about(path, _reason(error))) from error


def write_picture(path: Path, array: np.ndarray, quality: int = 95) -> None:
    """Writes uint8 RGB [H, W, 3] in the format of the suffix; whole or not at all. `quality` is for JPEG and WebP.

    Raises `ValueError` for an array or a suffix that cannot be written, `OSError` where the disk refuses.
    """
    path = Path(path)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"{path}: a picture to write is uint8 [H, W, 3], not {array.dtype} {list(array.shape)}")
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise ValueError(f"{path}: cannot write pictures as {path.suffix or 'a file with no suffix'}; use .png or .jpg")
    # 4:4:4: colour edges of a drawing bleed when chroma is halved
    options = {"subsampling": 0} if kind == "JPEG" else {}
    encoded = io.BytesIO()  # at the end of a full disk, Pillow takes a part of its last block for the whole
    Image.fromarray(array).save(encoded, format=kind, quality=quality, **options)
    with whole_file(path) as file:
        file.write(encoded.getbuffer())


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a broken EXIF block is no reason to refuse the pixels
        turn = None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    transfer = image.info.get(HDR)
    if is_deep(image):
        image = to_eight_bits(image)
    if transfer:
        image = brought_to_sdr(image.convert("RGBA" if image.has_transparency_data else "RGB"), transfer)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "not a picture that can be read (damaged, empty or of an unknown kind)"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        most = MAX_PIXELS // 10**6
        return Message("too many pixels to be an honest picture (more than {most} million)", most=most)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return Message("damaged picture ({first})", first=first)
