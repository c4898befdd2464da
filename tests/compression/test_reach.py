import pytest
import torch

from anime_model.compression.reach import with_kernels
from anime_model.compression.separable import replace_convs
from anime_model.networks.architecture import animeganv2
from anime_model.networks.cost import count_parameters, receptive_radius
from anime_model.networks.generator import Generator, fold_batch_norm
from anime_model.recipes.replace_convs import ReplaceSettings

GROWN = {"c0": 5, "c2": 7, "e1": 5}


@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_larger_kernels_make_the_same_pictures_and_see_further(padding: str):
    torch.manual_seed(0)
    settings = ReplaceSettings(layers=("c0", "e1"), padding=padding, tail="resize", upsample="half_pixel")
    network = fold_batch_norm(replace_convs(Generator(animeganv2(0.25)), settings)).eval()
    grown = with_kernels(network, GROWN)
    photo = torch.rand(2, 3, 64, 48) * 2 - 1
    assert torch.allclose(grown(photo), network(photo), atol=1e-5)
    assert {name: grown.arch.layers[name].kernel for name in GROWN} == GROWN
    assert count_parameters(grown.arch) == sum(weight.numel() for weight in grown.parameters())
    assert receptive_radius(grown.arch) == receptive_radius(network.arch) + 4 * 1 + 4 * 2 + 1
    again = with_kernels(grown, {"c2": 7})
    assert all(torch.equal(one, other) for one, other in zip(again.parameters(), grown.parameters(), strict=True))


def reach(network: Generator) -> int:
    """Pixels above a place on which its colour depends; weights are made such that nothing is cut off or cancelled."""
    for name, weight in network.named_parameters():
        weight.data.fill_(1e-3 if name.endswith("bias") else 1 / weight[0].numel())
    photo = torch.rand(1, 3, 208, 208, requires_grad=True)
    network.eval()(photo)[0, :, 104, 104].sum().backward()
    (rows,) = photo.grad[0].abs().sum((0, 2)).nonzero(as_tuple=True)
    return 104 - int(rows.min())


def test_what_a_larger_kernel_sees_is_what_the_cost_says():
    settings = ReplaceSettings(layers=("c0", "e1"), padding="zeros", tail="resize", upsample="half_pixel")
    network = fold_batch_norm(replace_convs(Generator(animeganv2(0.25)), settings))
    grown = with_kernels(network, {"c2": 7, "c3": 7})
    radii = [receptive_radius(each.arch) for each in (network, grown)]
    reaches = [reach(network), reach(grown)]
    assert reaches[1] - reaches[0] == radii[1] - radii[0] == 16
    assert radii[1] - 12 < reaches[1] <= radii[1]


@pytest.mark.parametrize(
    ("kernels", "message"),
    [({"z9": 5}, "'z9' cannot"), ({"b0": 5}, "'b0' cannot"), ({"c2": 4}, "c2: 4 is not 3"), ({"c2": 1}, "c2: 1")],
)
def test_a_kernel_that_no_layer_can_have_is_named(kernels: dict[str, int], message: str):
    with pytest.raises(ValueError, match=message):
        with_kernels(Generator(animeganv2(0.25)), kernels)


def test_large_depthwise_kernels_are_summed_in_32_bits_on_a_cpu():
    """In bfloat16 the gradient of such a kernel takes a CPU four times as long."""
    torch.manual_seed(0)
    network = with_kernels(Generator(animeganv2(0.25)), {"c2": 7})
    block = network.layers["c2"]
    kinds = {}
    for name in ("depthwise", "project"):
        getattr(block, name).conv.register_forward_hook(
            lambda conv, x, made, name=name: kinds.update({name: made.dtype})
        )
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.rand(1, 3, 32, 32))
    assert kinds == {"depthwise": torch.float32, "project": torch.bfloat16}
