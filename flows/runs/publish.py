"""The results of a flow run, where people look: artifacts of the run in Prefect, a table in the terminal."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps
from prefect.artifacts import create_image_artifact, create_table_artifact

from flows.pipeline.results import aligned, evaluation_folder, protocols, read_baselines, read_metrics, table
from flows.runs.progress import artifact_key


def publish(root: Path, styles: Sequence[str]) -> None:
    """Table and pictures of the evaluated `styles` to Prefect; the table and where to go on to stdout."""
    variants = [metrics for style in styles for metrics in read_metrics(root, style)]
    compared = {style: read_baselines(root, style) + read_metrics(root, style) for style in styles}
    rows, how = table(row for found in compared.values() for row in found), protocols(variants)
    reports = [Path("artifacts", style, "report.html") for style in styles]
    create_table_artifact(rows, key="results", description=f"{how}. Reports: {', '.join(map(str, reports))}")
    for style in styles:
        names = ["photo", *(metrics["variant"] for metrics in variants if metrics["style"] == style)]
        if picture := contact_sheet(evaluation_folder(root, style) / "pictures", names):
            create_image_artifact(picture, artifact_key(f"pictures {style}"), f"{style}: {', '.join(names)}")
    print(f"\n{aligned(rows)}\n{how}\n")
    print("\n".join(f"Report:  {report}" for report in reports))
    print("Prefect: make prefect, then http://127.0.0.1:4200\nMLflow:  make mlflow, then http://127.0.0.1:5000")


def contact_sheet(folder: Path, names: Sequence[str], rows: int = 4, side: int = 192) -> str | None:
    """One row for each of the first photos, a column for each of `names`, such as `<set>/<photo>/int8.jpg`.

    A data URL: Prefect's pages cannot read our files. None where there is no picture.
    """
    photos = sorted(path.parent for path in folder.glob(f"*/*/{names[0]}.jpg"))
    photos = photos[:: max(1, len(photos) // rows)][:rows]
    if not photos:
        return None
    sheet = Image.new("RGB", (side * len(names), side * len(photos)), "white")
    for row, photo in enumerate(photos):
        for column, name in enumerate(names):
            with Image.open(photo / f"{name}.jpg") as picture:
                sheet.paste(ImageOps.contain(picture.convert("RGB"), (side, side)), (side * column, side * row))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
