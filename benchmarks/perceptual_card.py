"""Writes the figures of `results/perceptual.json` into the card of the embedded perceptual network.

`python -m benchmarks.perceptual_card`
"""

import json
import re
from pathlib import Path

RESULTS = Path("results/perceptual.json")
CARD = Path("anime_model/weights/perceptual.md")
BLOCK = re.compile(r"(<!-- figures: .*?-->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


def main() -> None:
    CARD.write_text(filled(CARD.read_text(), json.loads(RESULTS.read_text())))
    print(f"wrote the figures of {RESULTS} into {CARD}")


def filled(card: str, figures: dict) -> str:
    """The card with the figures between its two marks.

    Raises:
        SystemExit: if the card has no marks.
    """
    if not BLOCK.search(card):
        raise SystemExit(f"error: {CARD} has no block for figures")
    text = "\n".join([_size(figures), _maps(figures), _distances(figures), _fid(figures["fid"])])
    return BLOCK.sub(lambda m: m[1] + text + m[3], card)


def _size(figures: dict) -> str:
    cost = figures["cost"]
    small, vgg = cost["embedded"], cost["vgg19"]
    return (
        f"{figures['parameters']:,} parameters in {figures['bytes'] / 1e6:.1f} MB. Up to {cost['layer']}, "
        f"{cost['batch']} pictures of {cost['size']} px on {cost['threads']} thread: "
        f"{small['forward_ms']:.0f} ms forward and "
        f"{small['with_gradient_ms']:.0f} ms with the gradient, where VGG-19 takes {vgg['forward_ms']:.0f} and "
        f"{vgg['with_gradient_ms']:.0f} ms.\n\n{figures['protocol']}\n"
    )


def _maps(figures: dict) -> str:
    maps, pairs = figures["maps"], figures["distorted"]
    rows = [
        (layer, f"{maps[layer]:.2f}", *(f"{pairs[f'{loss}_{layer}_spearman']:.3f}" for loss in ("content", "style")))
        for layer in LAYERS
    ]
    return _table(("map", "R2 of VGG's map", "content loss, rank correlation", "Gram loss, rank correlation"), rows)


def _distances(figures: dict) -> str:
    names = {"distorted": "photo and distorted photo", "stylised": "two stylised pictures of a photo"}
    keys = ("pearson", "spearman", "rmse_spearman", "mean_embedded", "mean_lpips")
    rows = [
        (name, str(figures[kind]["pairs"]), *(f"{figures[kind][key]:.3f}" for key in keys))
        for kind, name in names.items()
    ]
    head = (
        "pairs",
        "count",
        "correlation with LPIPS",
        "rank correlation",
        "that of plain RMSE",
        "mean",
        "mean of LPIPS",
    )
    return _table(head, rows)


def _fid(fid: dict) -> str:
    rows = [(name, f"{one['embedded']:.3f}", f"{one['768']:.3f}") for name, one in fid["sets"].items()]
    return (
        f"FID between {fid['photos']} photos and each set below: correlation with the real one {fid['pearson']:.2f}, "
        f"rank correlation {fid['spearman']:.2f}.\n\n" + _table(("set", "embedded", "Inception, 768"), rows)
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rule = ("---", *["--:"] * (len(head) - 1))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))


if __name__ == "__main__":
    main()
