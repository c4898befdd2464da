"""What `tests/exports.py` puts together is what the exporter writes."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch

from anime_model.compression import export
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator
from tests.exports import Write, known_graphs
from tests.support import lite


def a_network(seed: int) -> Generator:
    torch.manual_seed(seed)
    network = Generator(lite()).train()
    with torch.no_grad():
        network(torch.rand(2, 3, 48, 64))
        network = export.deployable(network)
        network.out.bias.normal_()  # zeros would be left out of a file
    return network


@pytest.fixture
def written() -> list[str]:
    return []


@pytest.fixture
def known(written: list[str], tmp_path: Path) -> Callable[[Write], Write]:
    """Known graphs of no other test, and what had to be written for them."""
    (tmp_path / "graphs").mkdir()

    def by(write: Write) -> Write:
        def noted(network: Generator, path: Path) -> None:
            written.append(path.name)
            write(network, path)

        return known_graphs(noted, tmp_path / "graphs")

    return by


def untraced(network: Generator, path: Path) -> None:
    """A file with all weights and no graph, in place of the exporter, which takes seconds for each."""
    weights = [onnx.numpy_helper.from_array(value.numpy(), key) for key, value in network.state_dict().items()]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "weights", [], [], weights)), path)


def test_a_graph_with_other_weights_is_the_file_that_would_have_been_traced(known, written, tmp_path):
    write = known(export._write_onnx.__wrapped__)
    for seed in (1, 2):
        write(a_network(seed), tmp_path / f"{seed}.onnx")
    assert written == ["1.onnx"]
    export._write_onnx.__wrapped__(a_network(2), tmp_path / "wanted.onnx")
    for made, wanted in zip(parts(tmp_path / "2.onnx"), parts(tmp_path / "wanted.onnx"), strict=True):
        assert made == wanted


def test_with_norms_only_a_network_of_the_same_weights_is_known(known, written, tmp_path):
    write = known(untraced)
    for number, seed in enumerate((1, 2, 1)):
        torch.manual_seed(seed)
        write(Generator(animeganv2(0.125)).eval(), tmp_path / f"{number}.onnx")
    assert written == ["0.onnx", "1.onnx"]
    assert (tmp_path / "2.onnx").read_bytes() == (tmp_path / "0.onnx").read_bytes()
    assert (tmp_path / "2.onnx").read_bytes() != (tmp_path / "1.onnx").read_bytes()


def parts(path: Path) -> tuple[list, list]:
    """The nodes and the constants of a file, without the exporter's notes."""
    graph = onnx.load(path).graph
    nodes = [(node.op_type, list(node.input), list(node.output), list(node.attribute)) for node in graph.node]
    return nodes, list(graph.initializer)


def test_another_architecture_is_traced(known, written, tmp_path):
    write = known(untraced)
    for number, network in enumerate(
        (a_network(1), a_network(2), export.deployable(Generator(lite(padding="reflect"))))
    ):
        write(network, tmp_path / f"{number}.onnx")
    assert written == ["0.onnx", "2.onnx"]
