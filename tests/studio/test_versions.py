"""What can be compared, read from files and from MLflow; what is not there is one line."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from anime_app.studio import promotion, samples
from anime_app.studio import version_charts as charts
from anime_app.studio.promotion import Verdict, promote, roll_back
from anime_app.studio.settings import Studio
from anime_app.studio.sheet import figures_table, pane, protocol, verdict
from anime_app.studio.translation import translated
from anime_app.studio.versions import (
    Version,
    _registered,
    model_file,
    read_catalogue,
    run_versions,
    tracking_uri,
    trial_versions,
)
from anime_model.pictures.arrays import PictureError
from anime_model.pictures.message import Message, to_record
from anime_model.runtime.session import ModelError
from tests.flows.pipeline.test_run_stage import gone
from tests.studio.project import STEPS, make_project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def test_a_run_s_versions_come_in_the_pipeline_s_order(root: Path):
    found = run_versions(root)
    assert [version.variant for version in found] == list(STEPS)
    assert all(version.drawable for version in found)
    assert "psnr" not in found[0].figures, "the teacher has none to itself"


def test_trials_of_the_exploration_have_their_files_where_these_are_left(root: Path):
    both, gone = trial_versions(root)
    assert (both.variant, both.figures["latency_p50_ms"], both.drawable) == ("both", 60, True)
    assert (gone.variant, gone.drawable) == ("gone", False)
    with pytest.raises(ModelError, match="cel · trial gone: its model file is no longer there"):
        model_file(gone, Studio(project=root))


def test_what_networks_are_compared_with_are_rows_and_no_versions(root: Path):
    catalogue = read_catalogue(Studio(project=root))
    assert [version.variant for version in catalogue.baselines] == ["photo", "filter"]
    assert not {version.key for version in catalogue.baselines} & {version.key for version in catalogue.all}
    page = figures_table([*catalogue.baselines, *catalogue.run])
    rows = re.findall(r"<tr.*?</tr>", page.partition("<tbody>")[2])
    assert len(rows) == 7
    assert "untouched photo" in rows[0]
    assert 'class="best"' not in rows[0] + rows[1], "the filter's FID is the lowest, and it is no network"
    assert "LPIPS to photo" in page
    assert "LPIPS to reference" not in page, "nobody has one"
    for text in ("", "{", '{"variant": "photo"}', "[3, {}]"):
        (root / "artifacts" / "cel" / "evaluation" / "baselines.json").write_text(text)
        assert read_catalogue(Studio(project=root)).baselines == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rows": 3}', '{"rows": [1, {"trial": "../../x", "ms": "a"}]}'])
def test_broken_records_are_no_records(root: Path, text: str):
    (root / "results" / "explore.json").write_text(text)
    (root / "artifacts" / "cel" / "evaluation" / "int8.json").write_text(text)
    assert trial_versions(root) == ()
    assert [version.variant for version in run_versions(root)] == list(STEPS[:-1])


def test_what_is_missing_is_one_line_each(tmp_path: Path):
    assert read_catalogue(Studio()).notes == (
        "No project is open: start the studio in the folder of a pipeline project, or name one.",
        "No MLflow registry: set MLFLOW_TRACKING_URI, or run the pipeline, which makes mlflow.db.",
    )
    (tmp_path / "empty").mkdir()
    notes = read_catalogue(Studio(project=tmp_path / "empty")).notes
    assert notes[0] == "empty has no evaluated models yet: python -m flows.compress makes them."
    assert not (tmp_path / "empty" / "mlflow.db").exists(), "looking makes no database"
    assert tracking_uri(Studio(tracking_uri=f"sqlite:///{tmp_path}/none.db")) is None


def test_without_mlflow_the_run_is_still_there(root: Path, monkeypatch):
    (root / "mlflow.db").touch()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delitem(sys.modules, "anime_model.runtime.from_mlflow", raising=False)
    catalogue = read_catalogue(Studio(project=root))
    assert len(catalogue.run) == 5
    assert catalogue.notes == ("MLflow is not installed, so no registered versions: pip install mlflow",)


def test_a_hash_of_digits_is_no_figure():
    digest = "1234567890123456e890123456789012"[:32]
    row = {"model": "animegan-cel", "number": 7, "aliases": ["champion"]}
    found = _registered(row | {"tags": {"dvc_md5": digest, "fid": "1.5", "psnr": "nan", "variant": "int8"}})
    assert (found.label, found.figures, found.words["dvc_md5"]) == ("cel v7 · int8 · champion", {"fid": 1.5}, digest)


def test_charts_without_figures_say_so_and_one_version_is_enough(root: Path):
    bare = Version("run/cel/int8", "cel · int8", "cel", "int8")
    assert ">No version has both a latency and LPIPS yet.<" in charts.pareto([bare], [])
    assert "data-key" in charts.pareto(run_versions(root)[:1], [])
    assert "No registered versions" in charts.trends([])


def test_no_point_stands_on_the_numbers_of_an_axis():
    """A teacher is at no distance from itself: its point lies on the axis."""
    versions = [
        Version(
            f"run/cel/{name}",
            name,
            "cel",
            name,
            {"latency_p50_ms": ms, "lpips": lpips},
            number=number,
            aliases=("champion",),
        )
        for number, (name, ms, lpips) in enumerate((("teacher", 1000, 0.0), ("int8", 46, 0.1)), start=1)
    ]
    for drawing in (charts.pareto(versions, ["run/cel/teacher"]), charts.trends(versions)):
        for svg in re.findall(r"<svg.*?</svg>", drawing):
            drawn = ElementTree.fromstring(svg)
            rings = [one for one in drawn.iter("circle") if one.get("class") != "touch"]
            for tick in (one for one in drawn.iter("text") if one.get("text-anchor") == "middle"):
                x, top = float(tick.get("x")), float(tick.get("y")) - 10
                beside = [one for one in rings if abs(float(one.get("cx")) - x) < 20]
                assert all(float(one.get("cy")) + float(one.get("r")) < top for one in beside), tick.text


def test_nothing_from_outside_becomes_markup(root: Path):
    evil = '"><img src=x onerror=alert(1)>'
    version = Version(
        f"run/{evil}", evil, evil, evil, {"latency_p50_ms": 1, "lpips": 1, "bytes": 1}, {"protocol": evil}
    )
    gate = {"name": evil, "figure": evil, "bound": evil, "passed": False}
    made = [
        charts.pareto([version], []), charts.trends([version]), figures_table([version]),
        pane(evil, evil, (1, 1), None, evil), verdict(Verdict(evil, evil, evil, evil, (gate,)), evil),
    ]  # fmt: skip
    assert not [text for text in made if "<img src=x" in text]


def test_the_flow_is_asked_with_the_registry_s_address(root: Path):
    (root / "flows" / "promote.py").write_text(
        'import json, os\nprint(json.dumps({"verdict": "promoted", "reason": os.environ["MLFLOW_TRACKING_URI"]}))'
    )
    assert promote(root, "sqlite:///here.db", "cel", 5, False).reason == "sqlite:///here.db"


def test_a_verdict_is_read_in_the_readers_language(root: Path):
    said = Message("passed {count} gates", count=2)
    answer = {"verdict": "promoted", "reason": said, "message": to_record(said)}
    (root / "flows" / "promote.py").write_text(f"print({json.dumps(answer)!r})")
    assert "通过了全部 2 项门槛" in verdict(promote(root, None, "cel", 5, False), "cel")
    old = {"verdict": "promoted", "reason": said}
    (root / "flows" / "promote.py").write_text(f"print({json.dumps(old)!r})")
    assert "passed 2 gates" in verdict(promote(root, None, "cel", 5, False), "cel")


def test_how_figures_were_measured_is_read_in_the_readers_language():
    """Of the run from its figures, of a registered version from its tags."""
    words = {"latency_engine": "ONNX Runtime 1", "cpu": "a processor", "fid_features": "inception", "lpips_net": "alex"}
    figures = {"latency_threads": 2.0, "latency_size": 512.0, "fid_real": 40.0, "fid_fake": 10.0}
    said = protocol(Version("run/cel/int8", "", "cel", "int8", figures, words))
    assert said.startswith("latency: ONNX Runtime 1, 2 threads, 512 px, a processor · FID: inception, 40 frames, 10 ")
    tags = {"protocol": said, "protocol_message": json.dumps(to_record(said))}
    for one in (said, protocol(Version("registry/x/1", "", "cel", "int8", {}, tags))):
        assert translated(one)[1].startswith(
            "延迟：ONNX Runtime 1，2 线程，512 px，a processor · FID：inception，40 帧"
        )
    assert protocol(Version("registry/x/1", "", "cel", "int8", {}, tags | {"protocol": "edited"})) == "edited"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise SystemExit('recipe.yaml: gates.bytes is no number')", "recipe.yaml: gates.bytes is no number"),
        ("print('{}')", "{}"),
        ("print('[]')", "[]"),
        ("import sys; sys.exit(2)", "it ended with status 2"),
        ("import no_such_module", "this project has no flows.promote: open a clone of the project with its flows"),
        ("import json; print(json.dumps({'verdict': 'promoted'})); raise SystemExit(2)", "it ended with status 2"),
    ],
)
def test_a_flow_that_gives_no_verdict_failed_with_its_last_words(root: Path, program: str, reason: str):
    (root / "flows" / "promote.py").write_text(program)
    found = promote(root, None, "cel", None, False)
    assert (found.outcome, found.reason, found.good) == ("failed", reason, False)


def test_a_flow_that_hangs_is_ended_with_what_it_started(root: Path, monkeypatch):
    monkeypatch.setattr(promotion, "PATIENCE", 2.0)
    program = (
        "import subprocess, sys, time\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])"
    )
    (root / "flows" / "promote.py").write_text(f"{program}\nopen('child', 'w').write(str(child.pid))\ntime.sleep(99)")
    assert roll_back(root, None, "cel", "why").outcome == "failed"
    assert gone([int((root / "child").read_text())])


def test_photos_are_read_within_bounds_and_named_without_folders(root: Path, tmp_path: Path):
    (found, _) = samples.run_photos(root)
    assert found.key == "faces/ada"
    assert samples.read_photo(found.path, 10_800).shape == (90, 120, 3)
    with pytest.raises(PictureError, match=r"^photo\.jpg: 120 x 90 pixels"):
        samples.read_photo(found.path, 10_799)
    (tmp_path / "words.jpg").write_text(json.dumps("no picture"))
    with pytest.raises(PictureError, match=r"^words\.jpg: not a picture"):
        samples.read_photo(tmp_path / "words.jpg", 100)
    assert len(samples.spread([found] * 50)) == samples.MOST
