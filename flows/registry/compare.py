"""Networks of one style side by side on the same photos.

`python -m flows.registry.compare ARTIFACTS TEACHER OUT FILES`

FILES is JSON, `{"challenger": "a.onnx", "champion": "b.onnx"}`. OUT is a JSON file with the figures of each.
"""

import json
from pathlib import Path

from anime_model.recipes.evaluate import EvaluateStage
from anime_model.report.evaluate import compare
from tasks.shared import common


def main(arguments: list[str]) -> None:
    artifacts, teacher, out = map(Path, arguments[:3])
    files = {name: Path(path) for name, path in json.loads(arguments[3]).items()}
    figures = compare(files, teacher, artifacts / "data", common.settings(EvaluateStage).evaluate, common.show)
    common.write_json(out, figures)


if __name__ == "__main__":
    common.run(main, "ARTIFACTS TEACHER OUT FILES")
