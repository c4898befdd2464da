import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from anime_model.recipes.reading import RecipeError
from flows.pipeline.recipe_file import recipe_name, use_recipe


@pytest.fixture
def other(toy: Path) -> Path:
    path = toy / "other.yaml"
    path.write_text((toy / "params.yaml").read_text().replace("rounds: 3", "rounds: 5"))
    return path


def test_a_recipe_becomes_the_active_one(toy: Path, other: Path):
    assert use_recipe(toy, other) is None, "the old one is in recipes/ too"
    assert (toy / "params.yaml").read_text() == other.read_text()
    assert use_recipe(toy, other) is None
    assert not list(toy.glob("params.*.bak.yaml"))


def test_a_persons_own_numbers_are_kept(toy: Path, other: Path):
    for number in (1, 2):
        own = (toy / "params.yaml").read_text() + f"# my own, {number}\n"
        (toy / "params.yaml").write_text(own)
        assert use_recipe(toy, other) == toy / f"params.{number}.bak.yaml"
        assert (toy / f"params.{number}.bak.yaml").read_text() == own


def test_what_git_has_needs_no_copy(toy: Path, other: Path):
    (toy / "recipes" / "demo.yaml").unlink()
    assert use_recipe(toy, other) is None


def test_an_invalid_recipe_changes_nothing(toy: Path):
    (toy / "bad.yaml").write_text("styles: [cel]\nnonsense: 1\n")
    before = (toy / "params.yaml").read_text()
    with pytest.raises(RecipeError, match=r"bad\.yaml: nonsense"):
        use_recipe(toy, toy / "bad.yaml")
    assert (toy / "params.yaml").read_text() == before


def test_a_run_is_named_after_its_recipe(toy: Path, other: Path):
    assert recipe_name(toy) == "demo"
    use_recipe(toy, other)
    assert recipe_name(toy) == "params"


def test_a_recipe_that_is_edited_and_used_again_leaves_no_copies(toy: Path, other: Path):
    for steps in (5, 6, 7):
        other.write_text((toy / "recipes" / "demo.yaml").read_text().replace("rounds: 3", f"rounds: {steps}"))
        assert use_recipe(toy, other) is None
    assert not list(toy.glob("params.*.bak.yaml"))
    (toy / "params.yaml").write_text((toy / "params.yaml").read_text() + "# by hand\n")
    assert use_recipe(toy, other).name == "params.1.bak.yaml"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("rm -r photos/train", "data.photos: photos/train does not exist; put at least 4 photos there"),
        ("rm -r photos", "data.photos: photos/train does not exist"),
        ("rm photos/test/faces/[0-2].png", "data.photos: photos/test has 1 pictures, at least 2 are needed"),
        ("rm -r frames/ink", "data.frames: frames/ink does not exist"),
        ("rm frames/ink/0.png", "data.frames: frames/ink has 3 pictures, at least 4 are needed"),
        ("sed -i 's/^teacher: {/teacher: {warm_start: a.pt, warm_start_md5: \"%s\", /' other.yaml" % ("0" * 32),
         "teacher.warm_start: a.pt does not exist"),
        ("echo x > a.pt; sed -i 's/^teacher: {/teacher: {import_file: {ink: a.pt}, import_md5: {ink: \"%s\"}, /' "
         "other.yaml" % ("0" * 32), "teacher.import_file.ink: a.pt has the md5 401b30e3b8b5d629635a5c613cdb7919"),
    ],
)  # fmt: skip
def test_what_a_recipe_needs_is_looked_at_before_it_becomes_the_active_one(
    toy: Path, other: Path, broken: str, said: str
):
    subprocess.run(broken, shell=True, cwd=toy, check=True)
    before = (toy / "params.yaml").read_text()
    with pytest.raises(RecipeError) as error:
        use_recipe(toy, other)
    assert str(error.value).startswith(said.replace("photos there", "pictures there"))
    assert (toy / "params.yaml").read_text() == before


def test_a_networks_pin_covers_the_data_that_it_keeps_elsewhere(toy: Path, other: Path):
    weight = onnx.numpy_helper.from_array(np.full(512, 0.5, np.float32), "weight")
    value = onnx.helper.make_tensor_value_info("photo", onnx.TensorProto.FLOAT, [512])
    made = onnx.helper.make_tensor_value_info("anime", onnx.TensorProto.FLOAT, [512])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["photo", "weight"], ["anime"])], "g", [value], [made], [weight]
    )
    onnx.save(
        onnx.helper.make_model(graph), toy / "n.onnx", save_as_external_data=True, location="n.bin", size_threshold=0
    )
    text = other.read_text()

    def pinned(md5: str) -> None:
        named = f'teacher: {{reference: {{ink: n.onnx}}, reference_md5: {{ink: "{md5}"}}, '
        other.write_text(text.replace("teacher: {", named, 1))
        use_recipe(toy, other)

    whole = hashlib.md5((toy / "n.onnx").read_bytes() + (toy / "n.bin").read_bytes()).hexdigest()
    pinned(whole)
    with pytest.raises(RecipeError, match=f"teacher.reference.ink: n.onnx has the md5 {whole}, not 0000"):
        pinned("0" * 32)
    (toy / "n.bin").unlink()
    with pytest.raises(RecipeError, match=r"teacher\.reference\.ink: .*n\.bin is missing"):
        pinned(whole)


def test_what_dvc_tracks_or_the_project_draws_need_not_be_there_yet(toy: Path, other: Path):
    shutil.rmtree(toy / "photos")
    (toy / "photos.dvc").touch()
    use_recipe(toy, other)
    other.write_text(other.read_text().replace("photos: photos", "photos: data/x/photos").replace("[]}", "[x]}", 1))
    use_recipe(toy, other)


def test_folders_that_refuse_are_named(toy: Path, other: Path, monkeypatch: pytest.MonkeyPatch):
    """Asked of the system, which refuses root nothing."""
    refused = {toy / "scratch": "cannot be written", toy / "frames" / "ink": "data.frames: frames/ink cannot be read"}
    (toy / "scratch").mkdir()
    for folder, said in refused.items():
        monkeypatch.setattr("os.access", lambda path, mode, folder=folder: Path(path) != folder)
        with pytest.raises(RecipeError, match=said):
            use_recipe(toy, other)


def test_a_folder_whose_name_breaks_addresses_is_named(toy: Path, other: Path):
    odd = toy.rename(toy.parent / "what? #1")
    with pytest.raises(RecipeError, match=r"what\? #1: the tools' addresses cannot hold # \?: rename the folder"):
        use_recipe(odd, odd / "other.yaml")
    use_recipe(plain := odd.rename(odd.parent / "it's ä"), plain / "other.yaml")
