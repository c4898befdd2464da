"""Why a picture was not made, without what its reader does not know: folders, hints for terminals, our own names."""

import pytest

pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")

from anime_app.studio.reasons import reason
from anime_model.pictures.images import PictureError
from anime_model.pictures.message import Message, about, hinted

DAMAGED = Message("damaged picture ({first})", first="cannot identify /srv/studio/x/photo.png")
MANY = Message("{width} x {height} pixels, more than the bound of {most} million", width=9, height=8, most="50")


@pytest.mark.parametrize(
    ("error", "english", "chinese"),
    [
        (PictureError(about("me.png", DAMAGED)), "damaged picture (cannot identify photo.png)", "图片已损坏"),
        (
            PictureError(about("/srv/studio/x/photo.png", DAMAGED)),
            "damaged picture (cannot identify photo.png)",
            "图片已损坏",
        ),
        (
            PictureError(about("me.png", hinted(MANY, "--max-pixels raises it"))),
            str(MANY),
            "9 x 8 像素，超过上限 50 百万像素",
        ),
        (ValueError("me.png: an old text"), "an old text", "an old text"),
        (
            ValueError(about("/srv/m.onnx", "holds no ONNX file")),
            "m.onnx: holds no ONNX file",
            "m.onnx：其中没有 ONNX 文件",
        ),
        (OSError(28, "No space left on device"), "no space left on device", "磁盘空间不足"),
        (MemoryError(), "not enough memory", "内存不足"),
    ],
)
def test_a_reason_is_one_line_in_both_languages(error, english, chinese):
    assert reason("me.png", error) == (english, chinese)
