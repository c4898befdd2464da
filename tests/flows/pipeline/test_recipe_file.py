from pathlib import Path

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
