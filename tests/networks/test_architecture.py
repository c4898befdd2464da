from dataclasses import replace

import pytest

from anime_model.networks.architecture import Architecture, ArchitectureError, animeganv2


def test_json_and_back():
    arch = replace(animeganv2(0.5), norm="batch", int8=("layers.a0", "out"))
    assert Architecture.from_json(arch.to_json()) == arch


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layers": {"a0": 3}}', '{"layers": {"a0": {"kind": "magic"}}}'])
def test_nonsense_is_refused(text):
    with pytest.raises(ArchitectureError):
        Architecture.from_json(text)


def test_unknown_choice_names_the_key():
    with pytest.raises(ArchitectureError, match="tail"):
        replace(animeganv2(), tail="long")


def test_widths_are_multiples_of_eight():
    for width in (0.25, 0.375, 0.7, 1.3):
        assert all(layer.width % 8 == 0 for layer in animeganv2(width).layers.values())
