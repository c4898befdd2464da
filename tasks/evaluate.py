"""Every figure of every variant: `python -m tasks.evaluate EXPORTS DATA OUT`. `python -m flows.report` shows them."""

from pathlib import Path

from anime_model.recipes.evaluate import EvaluateStage
from anime_model.report.evaluate import evaluate
from tasks.shared import common


def main(arguments: list[str]) -> None:
    exports, data, out = map(Path, arguments)
    settings = common.settings(EvaluateStage).evaluate
    evaluate(exports.parent.name, exports, data, common.fresh(out), settings, common.show)


if __name__ == "__main__":
    common.run(main, "EXPORTS DATA OUT")
