import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from anime_model.figures.charts import overlap
from anime_model.pictures.arrays import write_picture
from anime_model.report import charts
from anime_model.report.report import write_report
from anime_model.report.style_report import write_style_report

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "link", "img", "input", "br", "hr", "circle", "line", "polyline", "rect"}


def variant(name: str, scale: float) -> dict[str, float | str]:
    return {
        "style": "cel", "variant": name, "parameters": int(2_143_552 * scale), "macs_512": int(105_138_618_368 * scale),
        "bytes": int(8_860_000 * scale), "latency_p50_ms": 1900.0 * scale, "latency_p95_ms": 2000.0 * scale,
        "latency_engine": "ONNX Runtime", "latency_threads": 2, "latency_size": 512, "latency_repeats": 9,
        "latency_machine_busy": 0.4, "cpu": "a processor", "instruction_set": "avx2", "peak_memory_mb": 600.0 * scale,
        "fid": 30.0 / scale, "kid": 0.1, "fid_features": "embedded", "fid_real": 80, "fid_fake": 48, "fid_photos": 90.0,
        "lpips": 1 - scale, "lpips_net": "embedded", "ssim": scale, "lpips_faces": 0.1, "lpips_scenes": 0.2,
        "ssim_faces": 0.8, "ssim_scenes": 0.9, "fid_low": 28.0 / scale, "fid_high": 33.0 / scale, "fid_share": 0.7,
        "fid_share_low": 0.62, "fid_share_high": 0.77, "kid_deviation": 0.012, "lpips_photo": 0.21, "fid_bias": 1.5,
        "fid_resamples": 200, "lpips_photo_faces": 0.31,
    }  # fmt: skip


BASELINES = [
    {"variant": "photo", "fid": 90.0, "fid_share": 1.0, "lpips": 0.4, "lpips_photo": 0.0},
    {"variant": "filter", "fid": 61.5, "fid_share": 0.683, "lpips": 0.3, "lpips_photo": 0.1},
    {"variant": "reference", "fid": 55.0, "bytes": 4_229_672, "latency_p50_ms": 420.0, "latency_reference_ratio": 1.0},
]
METRICS = [variant("teacher", 1.0), variant("int8", 0.05) | {"psnr": 27.25}]


@pytest.fixture
def story(tmp_path: Path) -> dict:
    """Everything that a report can tell, with hostile names wherever a file gives them."""
    files = {}
    for index, name in enumerate(("photo", "teacher", "int8")):
        files[name] = tmp_path / f"{name}.jpg"
        write_picture(files[name], np.full((30, 40, 3), 60 * index, np.uint8))
    files["teacher"].write_bytes(b"damaged")
    (tmp_path / "curve.csv").write_text("step,loss,<b>psnr</b>\n10,1.5,\n20,0.75,20\n30,nan,21\n40,0.5,25\n")
    rounds = f"round,phase,parameters,int8_ms\n1,{EVIL},602112,2.5\n2,fine-tuned,300000,5\n"
    (tmp_path / "rounds.csv").write_text(rounds)
    return {
        "pictures": {f"faces{EVIL}": {f"me{EVIL}": files}},
        "curves": {"teacher": tmp_path / "curve.csv", "missing": tmp_path / "none.csv"},
        "tables": {"Pruning": tmp_path / "rounds.csv"},
        "samples": files["photo"],
        "set_aside": [{"file": EVIL, "reason": "damaged"}],
        "facts": {"photos": 1234, "note": EVIL},
    }


class Reader(HTMLParser):
    """Every element closed, every address inline, the text of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append(tag)
        self.open += [] if tag in VOID else [tag]
        self.addresses += [value for name, value in attributes if name in ("src", "href", "action", "data")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(out: Path) -> Reader:
    return Reader((out / "report.html").read_text())


def test_complete_page_is_well_formed_and_self_contained(tmp_path: Path, story: dict):
    write_report(tmp_path / "out", title="Cel", metrics=METRICS, **story)
    page = page_of(tmp_path / "out")
    assert page.open == []
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    styles = (tmp_path / "out/report.html").read_text()
    assert not re.search(r"https?://|@import|url\(", styles)
    for text in ("20×", "1900 ms → 95 ms", "LPIPS (embedded)", "not comparable", "others used 40%", "untouched photo"):
        assert text in page.text
    assert "27.2" in page.text
    assert "–" in page.text  # the teacher's PSNR to itself


def test_everything_from_files_is_escaped(tmp_path: Path, story: dict):
    write_report(tmp_path / "out", title=f"Cel {EVIL}", metrics=METRICS, **story)
    page = page_of(tmp_path / "out")
    assert page.tags.count("script") == 1  # the page's own
    assert page.text.count(EVIL) == 6


def test_damaged_pictures_and_missing_files_are_left_out(tmp_path: Path, story: dict):
    write_report(tmp_path / "out", title="Cel", metrics=METRICS, **story)
    page = page_of(tmp_path / "out")
    shown = [address for address in page.addresses if address.startswith("data:image/jpeg")]
    assert len(shown) == 2 + 2 + 1  # row, hero, samples
    assert "missing" not in page.text


@pytest.mark.parametrize("metrics", [[], METRICS[:1], [{"variant": "teacher"}], [METRICS[0], {"variant": "int8"}]])
def test_missing_parts_are_left_out(tmp_path: Path, metrics: list):
    write_report(tmp_path, title="Cel", metrics=metrics)
    page = page_of(tmp_path)
    assert page.open == []
    assert not {"dialog", "script", "img"} & set(page.tags)


def rows_of(page: str, table: int) -> dict[str, list[str]]:
    """The cells of one table of the page, by the first cell of their row."""
    body = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)[table]
    rows = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    ]
    return {re.sub("<.*?>", "", cells[0]): [re.sub("<.*?>", " ", cell).split() for cell in cells[1:]] for cells in rows}


def test_rows_to_compare_with_stand_above_the_networks(tmp_path: Path):
    write_report(tmp_path, title="Cel", metrics=METRICS, baselines=BASELINES)
    page = (tmp_path / "report.html").read_text()
    costs, pictures, faces, _ = (rows_of(page, table) for table in range(4))
    assert list(costs) == ["published network", "teacher", "int8"], "the others weigh nothing"
    assert list(pictures) == ["untouched photo", "filter, no network", "published network", "teacher", "int8"]
    assert pictures["teacher"][:3] == [["30", "28", "–", "33"], ["0.70", "0.62", "–", "0.77"], ["0.1", "±", "0.012"]]
    assert pictures["untouched photo"][:2] == [["90"], ["1.00"]]
    assert ["0.310"] in faces["int8"]
    text = page_of(tmp_path).text
    assert "FID of few pictures is too large" in text
    assert "with half of these photos it would be 1.5 larger" in text
    assert "95 % intervals" in text


def test_an_evaluation_of_before_has_the_photos_row_that_it_kept(tmp_path: Path):
    write_report(tmp_path, title="Cel", metrics=METRICS)
    assert rows_of((tmp_path / "report.html").read_text(), 1)["untouched photo"][0] == ["90"]


def test_a_style_is_told_from_the_files_of_its_stages(tmp_path: Path):
    style = tmp_path / "cel"
    for name in ("photo", "teacher", "int8"):
        write_picture(style / f"evaluation/pictures/faces/one/{name}.jpg", np.zeros((30, 40, 3), np.uint8))
    aside = [{"file": "photos/train/broken.jpg", "reason": "damaged picture"}]
    (style / "data").mkdir()
    (style / "evaluation/baselines.json").write_text(json.dumps(BASELINES))
    (style / "data/prepared.json").write_text(json.dumps({"photos": 4321}))
    (style / "set_aside.json").write_text(json.dumps({"set_aside": aside}))
    page = write_style_report(style, METRICS)
    read = Reader(page.read_text())
    assert all(
        text in read.text for text in ("Cel, made small", "photos/train/broken.jpg", "4,321", "filter, no network")
    )
    assert len([address for address in read.addresses if address.startswith("data:image/jpeg")]) == 3 + 2  # row, hero


def test_a_search_is_told_where_there_was_one(tmp_path: Path):
    table = tmp_path / "trials.csv"
    table.write_text(f"trial,lpips,ms,times_faster,bytes,a0\n3,0.2,20,60,5000,{EVIL}\n4,0.1,40,31,9000,16\n")
    write_report(tmp_path, title="Cel", metrics=METRICS, search=table)
    page = page_of(tmp_path)
    assert page.open == []
    assert "trial 4: LPIPS 0.1000, 40.0 ms (31.0×), 0.01 MB" in page.text
    assert "python -m flows.search cel --pick lite" in page.text
    assert page.tags.count("script") == 0
    table.write_text("no table")
    for search in (table, tmp_path / "none.csv", None):
        write_report(tmp_path, title="Cel", metrics=METRICS, search=search)
        assert "flows.search" not in page_of(tmp_path).text


def test_trade_off_places_by_logarithm_and_labels_apart():
    bubbles = [
        charts.Bubble(f"variant {i}", x, y, 1) for i, (x, y) in enumerate([(10, 0), (100, 1), (1000, 2), (101, 1)])
    ]
    svg = str(charts.trade_off(bubbles, "ms", "LPIPS", charts.Line(2.5, "photos")))
    xs = [float(x) for x in re.findall(r'cx="([\d.]+)"', svg)]
    ys = [float(y) for y in re.findall(r'cy="([\d.]+)"', svg)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
    labels = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)" class="label"', svg)
    assert len(set(labels)) == 4


def test_a_label_stands_on_no_other_words():
    """Three bubbles in a heap just above the line, whose words leave no free side."""
    places = [(86, 0.2385), (108, 0.2576), (102, 0.278), (80, 0.2459)]
    bubbles = [charts.Bubble(f"variant {i}", x, y, 1) for i, (x, y) in enumerate([*places, (637, 0.136)])]
    svg = str(charts.trade_off(bubbles, "ms", "FID", charts.Line(0.188, "untouched photos")))
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)" class="(?:label|axis)">(.*?)<', svg)
    boxes = []
    for x, y, anchor, text in found[2:]:  # after the axes' own
        width = len(text) * charts.CHARACTER
        left = float(x) - {"start": 0, "middle": width / 2, "end": width}[anchor]
        boxes.append((left, float(y) - 10, left + width, float(y)))
    assert len(boxes) == 6
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if overlap(a, b)]


@pytest.mark.parametrize("values", [[0, 0], [5, 5], [-0.002, 0.001], [1e-9, 1e9]])
def test_trade_off_of_awkward_values(values: list[float]):
    svg = charts.trade_off([charts.Bubble(str(i), 7, y, 0) for i, y in enumerate(values)], "x", "y")
    assert "nan" not in svg
    assert svg.count("<circle") == len(values)


def test_curves_start_and_end_where_they_do(tmp_path: Path):
    rows = [f"{step},{100 - step}," for step in range(1, 100)] + ["100,0,7"]
    (tmp_path / "curve.csv").write_text("step,loss,once\n" + "\n".join(rows) + "\n")
    (found,) = charts.curves(tmp_path / "curve.csv")
    assert found.name == "loss"
    assert found.first == pytest.approx(99, abs=3)
    assert found.last == pytest.approx(0, abs=3)
