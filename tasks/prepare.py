"""Checks and sizes one style's photos and frames: `python -m tasks.prepare PHOTOS FRAMES OUT`.

What cannot be used is listed in set_aside.json beside OUT.
"""

from pathlib import Path

from anime_model.recipes.data import PrepareStage
from anime_model.training.preparation import prepare
from tasks.shared import common

MOST = 5  # reasons in one line


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
    common.write_json(out.parent / "set_aside.json", {"set_aside": facts["set_aside"]})
    print(f"{facts['photos']} photos, {facts['frames']} frames, {told(facts['set_aside'])}")


def told(set_aside: list[dict[str, str]]) -> str:
    """How many pictures are not used, and the first of them with its reason for each reason that there is."""
    firsts = {entry["reason"]: entry["file"] for entry in reversed(set_aside)}
    reasons = "; ".join(f"{file}: {reason}" for reason, file in list(reversed(firsts.items()))[:MOST])
    return f"{len(set_aside)} pictures set aside" + (f" ({reasons})" if set_aside else "")


if __name__ == "__main__":
    common.run(main, "PHOTOS FRAMES OUT")
