"""Checks and sizes one style's photos and frames: `python -m tasks.prepare PHOTOS FRAMES OUT`."""

from pathlib import Path

from anime_model.recipes.data import PrepareStage
from anime_model.training.preparation import prepare
from tasks.shared import common


def main(arguments: list[str]) -> None:
    photos, frames, out = map(Path, arguments)
    data = common.settings(PrepareStage).data
    facts = prepare(
        photos,
        frames,
        common.fresh(out),
        photo_size=data.photo_size,
        test_size=data.test_size,
        frame_size=data.frame_size,
        smallest=data.smallest,
        on_step=common.show,
    )
    print(f"{facts['photos']} photos, {facts['frames']} frames, {len(facts['set_aside'])} pictures set aside")


if __name__ == "__main__":
    common.run(main, "PHOTOS FRAMES OUT")
