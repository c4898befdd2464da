import pytest
import torch

from anime_model.compression.grid import quantizable
from anime_model.compression.quantization import Int8Plan, Int8Trial, fallback_to_float, quantize, sensitivity
from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.recipes.distillation import DistillSettings
from anime_model.recipes.quantize import QuantizeSettings
from anime_model.training.loop import Training


@pytest.fixture
def folded(student) -> Generator:
    return fold_batch_norm(student).eval()


def times(network: Generator) -> dict[str, tuple[float, float]]:
    """Every unit twice as fast in INT8."""
    return dict.fromkeys(quantizable(network), (1.0, 0.5))


def test_units_go_back_to_float_until_the_picture_bears_the_rest(folded, photo):
    trial, names = Int8Trial(folded, photo, 7), list(quantizable(folded))
    alone = {name: trial.psnr([name]) for name in names}
    bound = trial.psnr(names) + 3
    kept = fallback_to_float(names, times(folded), alone, lambda left: trial.psnr(left) >= bound)
    assert 0 < len(kept) < len(names)
    assert trial.psnr(kept) >= bound
    gone = set(names) - set(kept)
    assert max(alone[name] for name in gone) <= min(alone[name] for name in kept)  # all save the same time


def test_time_that_is_saved_weighs_against_harm(folded):
    names = list(quantizable(folded))[:2]
    alone = dict.fromkeys(names, 40.0)
    saved = {names[0]: (1.0, 0.9), names[1]: (2.0, 0.5)}
    assert fallback_to_float(names, saved, alone, lambda left: len(left) < 2) == (names[1],)
    assert fallback_to_float(names, saved, alone, lambda left: False) == ()


def test_the_table_says_why_a_layer_runs_in_float():
    plan = Int8Plan(dict.fromkeys("abc", (1.0, 0.5)), {"a": 60.0, "b": 40.0, "c": 60.0}, int8=("c",))
    rows = {row["layer"]: row for row in sensitivity(plan, QuantizeSettings(psnr=52))}
    assert {name: row["runs_in"] for name, row in rows.items()} == {"a": "float", "b": "float", "c": "int8"}
    assert "not faster" in rows["a"]["reason"]
    assert "falls under 52 dB" in rows["b"]["reason"]
    assert rows["c"]["reason"] == ""
    named = sensitivity(plan, QuantizeSettings(keep_float=("a", "b"), psnr=52))
    assert [row["reason"] for row in named] == ["named in the recipe", "named in the recipe", ""]


@pytest.mark.parametrize("towards", ["teacher", "student"])
def test_fine_tuning_goes_towards_the_pictures_that_the_recipe_names(tmp_path, student, lesson, towards):
    """Two random networks with strong colours: each step towards the one leads away from the other."""
    with torch.no_grad():
        for network in (student, lesson.teacher):
            network.out.weight *= 40
    fine_tune = DistillSettings(steps=25, rate=6e-5, batch=2, crop=32, weights={"pixel": 1.0}, freeze_norm=True)
    settings = QuantizeSettings(calibration=4, weight_bits=7, towards=towards, fine_tune=fine_tune)
    names = tuple(quantizable(student))
    plan = Int8Plan(dict.fromkeys(names, (1.0, 0.5)), dict.fromkeys(names, 60.0), int8=names)
    figures = quantize(student, lesson, settings, plan, Training(tmp_path / "scratch")).figures
    assert figures["qat_psnr"] > figures["ptq_psnr"]
    assert (figures["ptq_psnr"] > figures["float_psnr"] + 3) == (towards == "student")
