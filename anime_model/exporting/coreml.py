"""Core ML (.mlpackage, for iPhone, iPad and Mac). It converts everywhere and runs on Apple's systems alone: elsewhere
its description is checked, and no picture is."""

from pathlib import Path

from anime_model.exporting.order import FP16, FormatError, Order, text_of
from anime_model.exporting.source import Source

SMALLEST, LARGEST, COMMON = 64, 2048, 512  # pixels of a side where no size is given
IMAGES = 7  # the version of the specification that has pictures as outputs of programs (iOS 16)


def write(source: Source, folder: Path, order: Order) -> list[Path]:
    """Input `photo` and output `anime` are RGB images of the same size: the levels 0 to 255 go in and come out."""
    import coremltools as ct

    from anime_model.exporting.network import Levels, network_of, traced

    side = ct.RangeDim(SMALLEST, LARGEST, COMMON)
    shape = ct.Shape((1, 3, *(order.size or (side, side))))
    halves = order.precision == FP16
    model = ct.convert(
        traced(Levels(network_of(source)).eval(), order.example),
        inputs=[ct.ImageType("photo", shape, scale=1 / 127.5, bias=[-1, -1, -1], color_layout=ct.colorlayout.RGB)],
        outputs=[ct.ImageType("anime", color_layout=ct.colorlayout.RGB)],
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT16 if halves else ct.precision.FLOAT32,
    )
    target = folder / f"{source.name}.mlpackage"
    model.save(str(target))
    check(target, order)
    return [target]


def check(path: Path, order: Order) -> None:
    """Raises `FormatError` where the package's own description is not that of an image of this size to another."""
    import coremltools as ct

    spec = ct.utils.load_spec(str(path))
    ends = [(end.name, end.type.WhichOneof("Type")) for end in (*spec.description.input, *spec.description.output)]
    if ends != [("photo", "imageType"), ("anime", "imageType")] or spec.specificationVersion < IMAGES:
        raise FormatError(f"{path.name}: its description has {ends} in version {spec.specificationVersion}; not kept")
    photo = spec.description.input[0].type.imageType
    sides = photo.imageSizeRange
    ranges = [(side.lowerBound, side.upperBound) for side in (sides.heightRange, sides.widthRange)]
    if (order.size and (photo.height, photo.width) != order.size) or (
        not order.size and ranges != [(SMALLEST, LARGEST)] * 2
    ):
        raise FormatError(f"{path.name}: takes {photo.width} x {photo.height}, not {text_of(order.size)}; not kept")
