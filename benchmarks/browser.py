"""A real browser that talks to nobody else, for pictures of the studio and its tests."""

import io
import shutil
from pathlib import Path

from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


def save(picture: bytes, path: Path, width: int, height: int) -> None:
    """A screenshot as a small JPEG of at most `width` x `height` pixels."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((width, height), Image.Resampling.LANCZOS)
    image.save(path, quality=82, optimize=True, progressive=True)
    print(f"wrote {path}, {path.stat().st_size // 1000} KB", flush=True)
