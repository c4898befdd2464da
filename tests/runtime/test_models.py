"""What a model's name stands for, and what is said about files that are none."""

import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

from anime_model.runtime import models
from anime_model.runtime.models import card, default_style, file_names, find_model, sizes, styles
from anime_model.runtime.session import ModelError, open_session, receptive_radius
from anime_model.runtime.stylizer import Stylizer
from tests.tiny_onnx import identity_model, negative_model, save_model, shipped


@pytest.fixture
def weights(tmp_path: Path, monkeypatch) -> Path:
    folder = shipped(tmp_path / "weights", "shinkai", "hayao")
    (folder / "perceptual.safetensors").touch()
    monkeypatch.setattr(models, "WEIGHTS", folder)
    return folder


def test_where_no_style_is_named_it_is_hayao_or_one_that_has_the_size(weights: Path):
    assert default_style() == "hayao"
    identity_model(weights / "shinkai-nano.onnx")
    assert [default_style(size) for size in ("nano", "lite", "plus")] == ["shinkai", "hayao", "hayao"]
    identity_model(weights / "hayao-nano.onnx")
    assert default_style("nano") == "hayao"
    for path in weights.glob("hayao*"):
        path.unlink()
    assert default_style() == "shinkai"


def test_styles_are_the_onnx_files_that_ship(weights: Path):
    assert list(styles()) == ["hayao", "shinkai"]
    assert find_model("shinkai") == weights / "shinkai.onnx"


def test_a_file_wins_over_a_style_and_a_wrong_name_lists_the_styles(weights: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no style 'ghibli': there is hayao, shinkai; or name a model file"):
        find_model("ghibli")
    for missing in ("other/ghibli", "ghibli.onnx"):
        with pytest.raises(FileNotFoundError, match=f"no model file {missing}"):
            find_model(missing)
    identity_model(tmp_path / "shinkai")
    assert find_model("shinkai") == Path("shinkai")


def fake_mlflow(monkeypatch, download) -> None:
    names = ("mlflow", "mlflow.artifacts", "mlflow.exceptions")
    package, artifacts, exceptions = modules = [ModuleType(name) for name in names]
    package.MlflowClient = package.set_tracking_uri = None
    package.get_tracking_uri = lambda: "http://127.0.0.1:9"
    exceptions.MlflowException = Exception
    artifacts.download_artifacts = download
    for name, module in zip(names, modules, strict=True):
        monkeypatch.setitem(sys.modules, name, module)
    ours = "anime_model.runtime.from_mlflow"
    monkeypatch.setitem(sys.modules, ours, None)  # so that what is imported over the stub goes with it
    del sys.modules[ours]


def test_a_registered_model_is_the_onnx_file_inside_it(tmp_path: Path, monkeypatch):
    identity_model(tmp_path / "data/int8.onnx")
    asked = []
    fake_mlflow(monkeypatch, lambda artifact_uri: asked.append(artifact_uri) or str(tmp_path))
    assert find_model("models:/animegan-shinkai@champion") == tmp_path / "data/int8.onnx"
    assert asked == ["models:/animegan-shinkai@champion"]
    fake_mlflow(monkeypatch, lambda artifact_uri: str(tmp_path / "empty"))
    with pytest.raises(ModelError, match="holds no ONNX file"):
        find_model("models:/x/1")


def test_mlflow_away_or_not_installed_is_one_line(monkeypatch):
    def fail(artifact_uri):
        raise RuntimeError("RESOURCE_DOES_NOT_EXIST:\n no such model")

    fake_mlflow(monkeypatch, fail)
    with pytest.raises(ModelError, match=r"^models:/x@y: MLflow does not give it \(RESOURCE_DOES_NOT_EXIST: no such"):
        find_model("models:/x@y")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delitem(sys.modules, "mlflow.artifacts")
    monkeypatch.delitem(sys.modules, "anime_model.runtime.from_mlflow", raising=False)
    with pytest.raises(ModelError, match=r"models:/x@y: MLflow is not installed; `pip install mlflow`"):
        find_model("models:/x@y")


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        open_session(path, 1)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(range(256)) * 50])
def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path: Path, content: bytes):
    (tmp_path / "m.onnx").write_bytes(content)
    refused(tmp_path / "m.onnx")


def test_a_cut_off_model_and_one_of_another_opset_are_refused_in_one_line(tmp_path: Path):
    path = identity_model(tmp_path / "m.onnx")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path)
    save_model(path, [helper.make_node("Identity", ["photo"], ["anime"])], {}, opset=999)
    assert "999" in refused(path)
    path.unlink()
    path.mkdir()
    refused(path)


def test_a_model_of_something_else_is_refused(tmp_path: Path):
    path = identity_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.input[0].name = model.graph.node[0].input[0] = "tokens"
    onnx.save(model, path)
    assert "a model takes `photo` and makes `anime`" in refused(path)


@pytest.mark.parametrize(("said", "radius"), [("58", 58), ("0", 0), ("", None), ("-1", None), ("many", None)])
def test_the_receptive_radius_is_a_number_or_nothing(tmp_path: Path, said: str, radius: int | None):
    assert receptive_radius(open_session(identity_model(tmp_path / "m.onnx", receptive_radius=said), 1)) == radius


@pytest.mark.parametrize("text", ["", "no json", "[1]"])
def test_a_broken_card_is_no_card(text: str):
    assert card({"card": text}) == {}
    assert card({"card": '{"fid": 1}'}) == {"fid": 1}


@pytest.fixture
def sized(weights: Path) -> Path:
    """`hayao` ships in three sizes, `shinkai` in one; two files only look like sizes of a style."""
    return shipped(weights, "hayao-nano", "hayao-plus", "ink-wash", "charcoal-nano")


def test_sizes_are_the_files_that_lie_beside_a_style_and_no_styles_themselves(sized: Path):
    assert list(styles()) == ["charcoal-nano", "hayao", "ink-wash", "shinkai"]
    assert list(sizes("hayao").items()) == [
        ("nano", sized / "hayao-nano.onnx"), ("lite", sized / "hayao.onnx"), ("plus", sized / "hayao-plus.onnx")
    ]  # fmt: skip
    assert list(sizes("shinkai")) == list(sizes("charcoal-nano")) == ["lite"]
    assert sizes("monet") == sizes("hayao-nano") == sizes("hayao.onnx") == {}
    assert file_names() == {"charcoal-nano", "hayao", "hayao-nano", "hayao-plus", "ink-wash", "shinkai"}


def test_a_size_is_that_file_and_lite_where_none_is_named(sized: Path):
    assert find_model("hayao", "plus") == sized / "hayao-plus.onnx"
    assert find_model("hayao", "lite") == find_model("hayao") == sized / "hayao.onnx"
    assert find_model("charcoal-nano") == sized / "charcoal-nano.onnx"


@pytest.mark.parametrize("make", [find_model, lambda name, size: Stylizer(name, size=size)], ids=["file", "stylizer"])
def test_a_size_that_a_model_has_not_is_one_line_that_names_those_it_has(sized: Path, tmp_path: Path, make):
    with pytest.raises(ModelError, match=r"^no size 'nano' of shinkai: there is lite$"):
        make("shinkai", "nano")
    with pytest.raises(ModelError, match=r"^no size 'huge' of hayao: there is nano, lite, plus$"):
        make("hayao", "huge")
    with pytest.raises(FileNotFoundError, match=r"^no style 'ghibli': there is charcoal-nano, hayao"):
        make("ghibli", "nano")
    for model in (str(identity_model(tmp_path / "mine.onnx")), "models:/animegan-shinkai@champion"):
        with pytest.raises(ModelError, match=rf"^{model}: has one size; nano, lite, plus are of styles that ship$"):
            make(model, "lite")


def test_a_stylizer_of_a_size_draws_with_that_network_and_names_its_results(sized: Path, tmp_path: Path):
    negative_model(sized / "hayao-nano.onnx")
    photo = np.full((8, 8, 3), 40, np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.png")
    fast = pickle.loads(pickle.dumps(Stylizer("hayao", 1, size="nano")))
    assert [int(made.mean()) for made in (Stylizer("hayao", 1)(photo), fast(photo))] == [40, 215]
    assert fast(tmp_path / "a.png") == tmp_path / "a-hayao-nano.png"
