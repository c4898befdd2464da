"""What `tests/exports.py` puts together is what the exporter writes."""

from pathlib import Path

import onnx
import pytest
import torch

from anime_model.compression import export
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator
from tests.exports import known_graphs
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
def write(written: list[str], tmp_path: Path):
    """Known graphs of no other test, and what had to be traced for them."""
    (tmp_path / "graphs").mkdir()

    def traced(network: Generator, path: Path) -> None:
        written.append(path.name)
        export._write_onnx.__wrapped__(network, path)

    return known_graphs(traced, tmp_path / "graphs")


def test_a_graph_with_other_weights_is_the_file_that_would_have_been_traced(write, written, tmp_path):
    for seed in (1, 2):
        write(a_network(seed), tmp_path / f"{seed}.onnx")
    assert written == ["1.onnx"]
    export._write_onnx.__wrapped__(a_network(2), tmp_path / "wanted.onnx")
    for made, wanted in zip(parts(tmp_path / "2.onnx"), parts(tmp_path / "wanted.onnx"), strict=True):
        assert made == wanted


def test_with_norms_only_a_network_of_the_same_weights_is_known(write, written, tmp_path):
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


def test_another_architecture_is_traced(write, written, tmp_path):
    write(a_network(1), tmp_path / "1.onnx")
    write(export.deployable(Generator(lite(padding="reflect"))), tmp_path / "2.onnx")
    assert len(written) == 2
