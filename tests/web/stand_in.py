"""Writes a lite network with random weights, float and INT8, as models for a site under test: `stand_in.py FOLDER`.

For trees in which no released model exists yet. The weights mean nothing; the graph is the one that ships.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from skimage import data

from anime_model.compression.export import export_int8_onnx, export_onnx
from anime_model.networks.architecture import animeganv2
from anime_model.networks.generator import Generator

SHIPPED = {"norm": "batch", "activation": "relu", "padding": "zeros", "tail": "subpixel", "upsample": "half_pixel"}
INT8 = ("layers.b1", "layers.c1.expand", "layers.c1.depthwise", "layers.c1.project", "layers.c2.expand", "layers.d0")

CONTRAST = 0.5  # standard deviation of the picture, in [-1, 1]


def main(folder: Path) -> None:
    torch.manual_seed(0)
    photo = torch.from_numpy(np.ascontiguousarray(data.astronaut()[::4, ::4])).permute(2, 0, 1)[None] / 127.5 - 1
    network = Generator(replace(animeganv2(0.1875), **SHIPPED)).train()
    with torch.no_grad():
        for _ in range(20):
            network(photo)  # batch norms that have seen a picture
        network.eval()
        network.layers["e2"].conv.weight *= CONTRAST / network(photo).std()  # or the picture would be plain grey
    export_onnx(network, folder / "shinkai.onnx")
    network.arch = replace(network.arch, int8=INT8)
    export_int8_onnx(network, photo, folder / "hayao.onnx", weight_bits=7)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
