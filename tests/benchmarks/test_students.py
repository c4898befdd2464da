"""Students side by side: each is compared with the teacher, the published network and the photo."""

import numpy as np
import pytest

from anime_model.metrics.lpips import SMALLEST
from anime_model.report.evaluate import Judge
from benchmarks.readme import _students
from benchmarks.students import judged


@pytest.fixture
def photos(tmp_path) -> dict[str, dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    sets = {
        name: {str(i): draw.integers(0, 256, (SMALLEST, SMALLEST, 3), np.uint8) for i in range(3)}
        for name in ("faces", "scenes")
    }
    return sets


def test_every_network_has_its_row(photos, tmp_path, monkeypatch):
    frames = list(photos["faces"].values()) + list(photos["scenes"].values())
    monkeypatch.setattr("anime_model.report.evaluate.picture_files", lambda folder: range(len(frames)))
    monkeypatch.setattr("anime_model.report.evaluate.read_picture", lambda index: 255 - frames[index])
    judge = Judge("embedded", "embedded", SMALLEST, tmp_path)
    known = {"teacher": lambda photo: photo // 2, "reference": lambda photo: 255 - photo}
    rows = list(judged(judge, photos, known, {"copy": lambda photo: photo // 2, "photo": np.array}))
    found = {row["network"]: row for row in rows}
    assert list(found) == ["teacher", "reference", "copy", "photo"]
    assert found["copy"]["lpips"] == found["photo"]["lpips_photo"] == found["reference"]["lpips_reference"] == 0
    assert found["copy"]["lpips_reference"] == found["teacher"]["lpips_reference"] > 0
    assert found["reference"]["fid"] == pytest.approx(0, abs=1e-6)
    assert "psnr" not in found["copy"], "equal pictures have none that is finite"
    text = list(_students({"style": "ink", "photos": 6, "lpips": "x", "features": "y", "note": "", "rows": rows}))
    assert len(text) == 4 + len(rows)
    assert text[4].startswith(f"| teacher | {found['teacher']['lpips_reference']:.4f} | 0.0000 | ")
