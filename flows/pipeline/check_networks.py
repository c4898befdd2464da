"""Loads the networks that losses and figures need, downloads and all: `python -m flows.pipeline.check_networks KINDS`.

KINDS are the stages that have to run, such as `train_teacher,evaluate`. Missing weights are one line here, before hours
of training, and so is a machine where PyTorch has no INT8.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from anime_model.compression.torchscript import int8_engine
from anime_model.metrics.fid import load_features
from anime_model.metrics.lpips import load_distance
from anime_model.networks.perceptual import load_perceptual
from anime_model.recipes.recipe import Recipe, load_recipe
from tasks.shared import common

LOSSES = {"train_teacher", "replace_convs", "prune", "distill", "quantize"}


def main(arguments: list[str]) -> None:
    recipe = load_recipe(common.PARAMS)
    for load in needed(recipe, set(arguments[0].split(","))):
        load()


def needed(recipe: Recipe, kinds: set[str]) -> Iterator[Callable[[], object]]:
    if kinds & LOSSES:
        yield lambda: load_perceptual(recipe.perceptual)
    if "evaluate" in kinds:
        yield lambda: load_features(recipe.evaluate.features)
        yield lambda: load_distance(recipe.evaluate.lpips)
    if "export" in kinds:
        yield lambda: int8_engine(Path("int8.ts"))


if __name__ == "__main__":
    common.run(main, "KINDS")
