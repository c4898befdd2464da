"""Writes what the tests need: photos, and the Python runtime's picture of each, as `reference.py MODELS OUT`.

Further: what Pillow makes of files that break off (cut.json), resampled pictures, and drawings that were enlarged.
OUT/<photo>.png is the photo and OUT/<photo>-<style>[-<look>].rgba the picture, raw RGBA bytes, so that no decoder can
change them. Every picture goes through the network whole, also those that a tab makes in tiles.
"""

import io
import json
import sys
from pathlib import Path

import av
import numpy as np
from narrow import narrow_model
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from skimage import data

from anime_model.pictures import images
from anime_model.runtime.enlarging import Enlarged
from anime_model.runtime.models import styles
from anime_model.runtime.palettes import PALETTES
from anime_model.runtime.shapes import changed_shapes
from anime_model.runtime.smoothing import smoothed
from anime_model.runtime.stylizer import Look, Stylizer

TURNED = 6  # EXIF: the camera lay on its side
NO_TILES = 10**12  # bytes
RESAMPLED = ((60, 50, None), (200, 300, (3.3, 2.2, 150.7, 101.1)), (77, 123, None))  # width, height, box
CUTS = (0, 2, 40, 200, 2000)  # bytes missing from a file's end
LOOKS = {"dusk": {"palette": "dusk"}, "mixed": {"palette": "sakura", "strength": 0.6, "keep_colour": True}}


def main(models: Path, out: Path) -> None:
    face = np.ascontiguousarray(data.astronaut()[20:263, 100:401])  # 301x243: neither side is a multiple of 4
    coffee = Image.fromarray(data.coffee()).resize((1500, 1000), Image.Resampling.LANCZOS)  # more than one tile
    photos = {"face": face, "tiny": face[:3, :5], "small": face[80:125, 100:161], "large": np.asarray(coffee)}
    found = styles(models)
    (out / "styles.json").write_text(json.dumps(list(found)))
    for name, photo in photos.items():
        Image.fromarray(photo).save(out / f"{name}.png")
        for style, path in found.items():
            save(Stylizer(path, 1, NO_TILES, stroke=0)(photo), out / f"{name}-{style}.rgba")
    for look, settings in LOOKS.items():
        save(Stylizer(found["hayao"], 1)(face, **settings), out / f"face-hayao-{look}.rgba")
    for style in ("hayao", "cute"):
        save(Stylizer(found[style], 1)(photos["large"]), out / f"large-{style}-own.rgba")
    save_turned(face, out / "turned.jpg")
    save_graded(out)
    save_resampled(out)
    save_smoothed(Image.fromarray(photos["large"]), out)
    save_enlarged(Image.fromarray(photos["large"]), out)
    save_cut(Image.fromarray(face), out)
    save_rounding_model(out / "rounded.onnx")
    (out / "narrow.onnx").write_bytes(narrow_model())
    save_film(face, out / "film.mp4", "libx264", "aac")
    save_film(face, out / "film.webm", "libvpx", "libopus")


def save(picture: np.ndarray, path: Path) -> None:
    alpha = np.full_like(picture[..., :1], 255)
    path.write_bytes(np.concatenate([picture, alpha], axis=2).tobytes())


def save_turned(face: np.ndarray, path: Path) -> None:
    """The face as a camera held sideways stores it: the pixels lie, and the EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = TURNED
    Image.fromarray(np.rot90(face)).save(path, quality=95, exif=exif)


def save_graded(out: Path) -> None:
    """Colours of every kind, and what each palette and switch makes of them."""
    photo, anime = np.random.default_rng(0).integers(0, 256, (2, 100, 100, 3), np.uint8)
    save(photo, out / "colours.rgba")
    save(anime, out / "drawn.rgba")
    for palette in (None, *PALETTES):
        for strength in (1.0, 0.35):
            for keep_colour in (False, True):
                made = Look(palette, strength, keep_colour).apply(photo, anime)
                save(made, out / f"graded-{palette or 'none'}-{strength:g}-{str(keep_colour).lower()}.rgba")


def save_resampled(out: Path) -> None:
    """Noise at other sizes, as resampled-<width>x<height>.rgba."""
    noise = np.random.default_rng(1).integers(0, 256, (123, 157, 3), np.uint8)
    save(noise, out / "noise.rgba")
    for width, height, box in RESAMPLED:
        made = Image.fromarray(noise).resize((width, height), Image.Resampling.LANCZOS, box)
        save(np.asarray(made), out / f"resampled-{width}x{height}.rgba")


def save_smoothed(large: Image.Image, out: Path) -> None:
    """Noise of every contrast and a photo, both smoothed, and how much of the photo's shapes that changes."""
    noise = np.random.default_rng(2).integers(-60, 61, (123, 157, 3)) * np.linspace(0, 1, 157)[:, None]
    rough = {"contrast": (128 + noise).astype(np.uint8), "photo": np.asarray(large.resize((210, 140)))}
    for name, picture in rough.items():
        save(picture, out / f"rough-{name}.rgba")
        save(smoothed(picture), out / f"smoothed-{name}.rgba")
    photo = rough["photo"]
    found = {"smoothed": changed_shapes(photo, smoothed(photo)), "same": changed_shapes(photo, photo)}
    (out / "changed.json").write_text(json.dumps(found))


def save_enlarged(large: Image.Image, out: Path) -> None:
    """A drawing of 150x100 at four sizes: a little larger, half as much again, some four and seven times."""
    drawing = np.asarray(large.resize((150, 100), Image.Resampling.LANCZOS))
    save(drawing, out / "drawing.rgba")
    for width, height in ((160, 107), (225, 150), (630, 420), (1100, 737)):
        whole = Enlarged(drawing, (width, height), 1).part((0, 0, width, height))
        save(whole, out / f"enlarged-{width}x{height}.rgba")


def save_cut(face: Image.Image, out: Path) -> None:
    """Files of each kind with bytes missing at their end, and in cut.json whether the runtime reads each."""
    frames = {"save_all": True, "append_images": [face.rotate(10), face.rotate(20)], "duration": 100}
    kinds = {
        "one.jpg": {"quality": 90},
        "scans.jpg": {"quality": 90, "progressive": True},
        "moving.png": frames,
        "moving.gif": frames,
        "moving.webp": frames,
    } | {f"one.{suffix}": {} for suffix in ("png", "gif", "webp", "bmp", "avif")}
    verdicts = {}
    for name, options in kinds.items():
        stream = io.BytesIO()
        kind = {"jpg": "JPEG"}.get(name[-3:], name.split(".")[1].upper())
        face.save(stream, kind, **options)
        for missing in CUTS:
            content = stream.getvalue()[: len(stream.getvalue()) - missing]
            (out / f"cut-{missing}-{name}").write_bytes(content)
            verdicts[f"cut-{missing}-{name}"] = frames_of(content)
    (out / "cut.json").write_text(json.dumps(verdicts))


def save_rounding_model(path: Path) -> None:
    """A network whose activations are rounded to 8 bits between two convolutions, as the pipeline's may be."""
    kernels = np.random.default_rng(2).normal(0, 0.2, (2, 3, 3, 3, 3)).astype(np.float32)
    scale, zero = np.float32(0.02), np.uint8(100)
    constants = {"first": kernels[0], "second": kernels[1], "scale": np.array(scale), "zero": np.array(zero)}
    nodes = [
        helper.make_node("Conv", ["photo", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("QuantizeLinear", ["a", "scale", "zero"], ["b"]),
        helper.make_node("DequantizeLinear", ["b", "scale", "zero"], ["c"]),
        helper.make_node("Conv", ["c", "second"], ["anime"], pads=[1, 1, 1, 1]),
    ]
    shape = [1, 3, "height", "width"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("photo", "anime")]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "rounded", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())


def save_film(face: np.ndarray, path: Path, video: str, audio: str) -> None:
    """A second of 12 frames, 160x120, the face moving through it, with a tone."""
    with av.open(str(path), "w") as film:
        pictures = film.add_stream(video, rate=12, options={"g": "6"})
        pictures.width, pictures.height, pictures.pix_fmt = 160, 120, "yuv420p"
        sound = film.add_stream(audio, rate=48000, layout="mono")
        for i in range(12):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(face[i * 8 :][:120, i * 8 :][:, :160]), "rgb24")
            film.mux(pictures.encode(frame))
        film.mux(pictures.encode())
        tone = np.sin(np.arange(48000) * 440 * 2 * np.pi / 48000).astype(np.float32)
        samples = av.AudioFrame.from_ndarray(tone[None] * 0.3, "fltp", "mono")
        samples.sample_rate = 48000
        resampler = av.AudioResampler(sound.format, "mono", 48000, sound.frame_size or 960)
        for part in [*resampler.resample(samples), *resampler.resample(None)]:
            film.mux(sound.encode(part))
        film.mux(sound.encode())


def frames_of(content: bytes) -> int:
    """How many pictures a file has; 0 where it is damaged."""
    try:
        return len(images.decode(content).frames)
    except images.PictureError:
        return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
