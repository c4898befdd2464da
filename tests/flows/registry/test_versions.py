import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest

from anime_model.runtime.from_mlflow import list_versions
from anime_model.runtime.models import find_model
from flows.registry.moved import put_right
from flows.registry.versions import RegistryError, flatten, make_store, register, uncommitted
from flows.report import write_reports

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # MLflow about its own types, when imported
]


@pytest.fixture
def store(made: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[mlflow.MlflowClient]:
    """An empty MLflow store of the made project's own."""
    shutil.copy(empty_store, made / "mlflow.db")
    address = f"sqlite:///{made}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    mlflow.set_tracking_uri(address)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def versions(store: mlflow.MlflowClient, name: str = "animegan-cel") -> list:
    return sorted(store.search_model_versions(f"name='{name}'"), key=lambda version: int(version.version))


def runs(store: mlflow.MlflowClient) -> list:
    """The runs of the pipeline, without those of its variants below them."""
    found = store.search_runs([experiment.experiment_id for experiment in store.search_experiments()])
    return [run for run in found if "mlflow.parentRunId" not in run.data.tags]


def test_every_variant_becomes_a_version_with_metrics_and_tags(made: Path, store: mlflow.MlflowClient):
    assert register(made, ["cel", "ink"], "demo") == [
        "animegan-cel 1 (teacher)", "animegan-cel 2 (int8)", "animegan-ink 1 (teacher)", "animegan-ink 2 (int8)",
    ]  # fmt: skip
    int8 = versions(store)[1]
    assert int8.tags["variant"] == "int8"
    assert len(int8.tags["dvc_md5"]) == 32
    assert len(int8.tags["git_commit"]) == 40
    assert int8.tags["data_hash"] == "data of cel"
    assert "onnxruntime, 2 threads, 512 px" in int8.tags["protocol"]
    assert (int8.tags["fid"], int8.tags["psnr"]) == ("12.25", "31.5")
    assert len(int8.tags) <= 15, "few enough to read"
    model = store.get_logged_model(int8.source.removeprefix("models:/"))
    assert {metric.key: metric.value for metric in model.metrics}["psnr"] == 31.5
    run = store.get_run(int8.run_id).data
    assert (run.metrics["parameters"], run.metrics["fid"]) == (2143552, 12.25)
    assert (run.params["prune.rounds"], run.params["seed"]) == ("3", "1"), "beside the figures that they led to"


def test_the_run_has_recipe_curves_and_report(made: Path, store: mlflow.MlflowClient):
    assert write_reports(made, ["cel", "ink"]) == [Path(f"artifacts/{s}/report.html") for s in ("cel", "ink")]
    register(made, ["cel", "ink"], "demo")
    (run,) = runs(store)
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("demo · cel+ink · ")
    assert run.data.params["prune.rounds"] == "3"
    assert (run.data.metrics["cel/fid"], run.data.metrics["ink/psnr"]) == (12.25, 31.5), "of the lite networks"
    curve = store.get_metric_history(run.info.run_id, "ink/teacher/loss")
    assert [(point.step, point.value) for point in curve] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert "cel/report.html" in [file.path for file in store.list_artifacts(run.info.run_id, "cel")]


def test_nothing_is_registered_twice(made: Path, store: mlflow.MlflowClient):
    register(made, ["cel"])
    assert register(made, ["cel"]) == []
    assert len(runs(store)) == 1
    assert len(versions(store)) == 2


def test_a_version_is_known_however_many_came_after_it(made: Path, store: mlflow.MlflowClient, monkeypatch):
    monkeypatch.setattr("flows.registry.versions.NEWEST", 1)
    assert len(register(made, ["cel"])) == 2
    assert register(made, ["cel"]) == []


def test_measuring_again_makes_no_version_and_judging_in_another_way_does(made: Path, store: mlflow.MlflowClient):
    register(made, ["cel"])
    metrics = made / "artifacts" / "cel" / "evaluation" / "int8.json"
    before = json.loads(metrics.read_text())
    for changed in ({"latency_p50_ms": 25.0, "cpu": "another"}, {"peak_memory_mb": 99.5}, {"fid": 12.2500001}):
        metrics.write_text(json.dumps(before | changed))
        assert register(made, ["cel"]) == [], changed
    assert len(runs(store)) == 1
    judged = ({"lpips_net": "squeeze"}, {"fid_real": 9}, {"pictures_md5": "0" * 32})
    for number, changed in enumerate(judged, start=3):
        metrics.write_text(json.dumps(before | changed))
        assert register(made, ["cel"]) == [f"animegan-cel {number} (int8)"], changed
    metrics.write_text(json.dumps(before))
    assert register(made, ["cel"]) == [], "as it was judged first"


def test_tags_are_the_figures_over_all_pictures_and_metrics_are_all(made: Path, store: mlflow.MlflowClient):
    metrics = made / "artifacts" / "cel" / "evaluation" / "int8.json"
    more = {"ssim_faces": 0.9, "fid_faces": 3.0, "fid_low": 12.0, "fid_high_faces": 3.5, "lpips_photo": 0.2}
    metrics.write_text(json.dumps(json.loads(metrics.read_text()) | more))
    register(made, ["cel"])
    int8 = versions(store)[1]
    assert more.keys() & int8.tags.keys() == {"lpips_photo"}
    (listed,) = [row for row in list_versions(mlflow.get_tracking_uri(), "animegan-") if row["number"] == 2]
    assert {key: float(listed["tags"][key]) for key in more} == more, "the studio has them all"
    model = store.get_logged_model(int8.source.removeprefix("models:/"))
    assert more.items() <= {metric.key: metric.value for metric in model.metrics}.items()


def test_what_a_kill_cut_off_is_completed(made: Path, store: mlflow.MlflowClient):
    program = """
import mlflow, os
from pathlib import Path
from flows.registry.versions import register
create = mlflow.MlflowClient.create_model_version
def killed(client, *arguments, **options):
    return os._exit(9) if options["tags"]["variant"] == "int8" else create(client, *arguments, **options)
mlflow.MlflowClient.create_model_version = killed
register(Path.cwd(), ["cel"])
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    assert subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True).returncode == 9
    assert [version.tags["variant"] for version in versions(store)] == ["teacher"]
    assert [run.info.status for run in runs(store)] == ["RUNNING"]
    assert register(made, ["cel"]) == ["animegan-cel 2 (int8)"]
    assert all("protocol" in version.tags and "fid" in version.tags for version in versions(store))
    assert sorted(run.info.status for run in runs(store)) == ["FINISHED", "KILLED"]


def test_the_model_loads_elsewhere_with_no_pickle(made: Path, store: mlflow.MlflowClient, tmp_path: Path):
    register(made, ["cel"])
    program = """
import mlflow, numpy, sys
model = mlflow.pyfunc.load_model("models:/animegan-cel/2")
assert model.metadata.signature.inputs.inputs[0].shape == (-1, -1, -1, 3)
try:
    model.predict(numpy.zeros((2, 5, 7, 4), numpy.uint8))
    sys.exit("pictures of four channels passed the signature")
except mlflow.exceptions.MlflowException:
    pass
numpy.save("out.npy", model.predict(numpy.load("in.npy")))
print(sys.modules["anime_model"].__file__, "torch" in sys.modules)
"""
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    np.save(tmp_path / "in.npy", pictures)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(made / "mlruns")), "the code that travels with the model, not the project's"
    assert done.stdout.endswith("False\n"), "no PyTorch"
    assert np.array_equal(np.load(tmp_path / "out.npy"), 255 - pictures), "the toy's int8 model makes negatives"
    assert not [path for path in (made / "mlruns").rglob("*") if path.suffix in (".pkl", ".pickle", ".pth")]


def test_asking_for_a_registered_model_makes_no_store(made: Path, store: mlflow.MlflowClient, tmp_path: Path):
    register(made, ["cel"])
    (tmp_path / "elsewhere").mkdir()
    program = """
import os, sys
from anime_model.runtime.models import find_model
for folder in sys.argv[1:]:
    os.chdir(folder)
    try:
        print(find_model("models:/animegan-cel/2").name)
    except ValueError as error:
        print(error)
"""
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", program, str(tmp_path / "elsewhere"), str(made / "artifacts")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    elsewhere, below = done.stdout.splitlines()
    assert "no registry here: set MLFLOW_TRACKING_URI to MLflow's address" in elsewhere
    assert below == "int8.onnx", "the project's own store, from below"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_moved_workspace_takes_its_files_along(made: Path, store: mlflow.MlflowClient, tmp_path: Path):
    register(made, ["cel"])
    (tmp_path / "toy and more" / "mlruns").mkdir(parents=True)  # its name begins like the old one's
    moved = made.rename(tmp_path / "it's elsewhere")
    address = f"sqlite:///{moved}/mlflow.db"
    mlflow.set_tracking_uri(address)
    make_store(address)
    file = find_model("models:/animegan-cel/2")
    assert file.is_relative_to(moved)
    assert register(moved, ["cel"]) == [], "it is known again"
    (moved / "artifacts" / "cel" / "exports" / "int8.onnx").write_bytes(
        (moved / "artifacts" / "cel" / "exports" / "teacher.onnx").read_bytes()
    )
    assert register(moved, ["cel"]) == ["animegan-cel 3 (int8)"]
    assert find_model("models:/animegan-cel/3").is_relative_to(moved)
    assert not made.exists(), "nothing is written to the old place"
    assert put_right(moved / "mlflow.db") == "", "once is enough"


def test_a_server_that_is_away_is_one_line(made: Path, store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    with pytest.raises(RegistryError, match=r"^MLflow at http://127\.0\.0\.1:9 does not answer$"):
        register(made, ["cel"])


def test_a_style_without_an_evaluation_registers_nothing(made: Path, store: mlflow.MlflowClient):
    assert register(made, ["shinkai"]) == []
    assert store.search_registered_models() == []


def test_parameters_are_flat():
    assert dict(flatten({"seed": 1, "data": {"size": 64, "sets": {"test": [1, 2]}}})) == {
        "seed": 1,
        "data.size": 64,
        "data.sets.test": [1, 2],
    }


def test_files_lie_beside_the_store_wherever_the_first_command_starts(
    made: Path, store: mlflow.MlflowClient, monkeypatch
):
    monkeypatch.chdir(made / "photos")
    register(made, ["cel"])
    experiment = store.get_experiment_by_name("animegan-lite")
    assert experiment.artifact_location.startswith(f"{made}/mlruns/")
    assert not (made / "photos/mlruns").exists()
    assert list((made / "mlruns").rglob("int8.onnx"))


def changed_repository(root: Path, *settings: str) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", *settings)
        subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)

    root.mkdir()
    git("init", "-q")
    (root / "a.py").write_text("one\n")
    git("add", "-A")
    git("commit", "-qm", "one")
    (root / "a.py").write_text("two\n")
    (root / "new").mkdir()
    (root / "new/b c.py").write_bytes(b"first\r\nlast, without an end")
    (root / "new/empty.py").touch()
    (root / "note.txt").write_text("secret")
    (root / ".gitignore").write_text("ignored.py\n")
    (root / "ignored.py").write_text("x\n")


@pytest.mark.parametrize("setting", ["", "diff.noprefix=true", "color.ui=always", "diff.mnemonicPrefix=true"])
def test_changes_without_a_commit_can_be_applied_again(tmp_path: Path, setting: str):
    root, again = tmp_path / "project", tmp_path / "again"
    changed_repository(root)
    if setting:
        subprocess.run(["git", "-C", str(root), "config", *setting.split("=")], check=True)
    (tmp_path / "changes").write_bytes(uncommitted(root).encode())
    assert "secret" not in uncommitted(root)
    subprocess.run(["git", "clone", "-q", str(root), str(again)], check=True)
    done = subprocess.run(["git", "apply", str(tmp_path / "changes")], cwd=again, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("a.py", "new/b c.py"):
        assert (again / name).read_bytes() == (root / name).read_bytes()
    assert not (again / "ignored.py").exists()
