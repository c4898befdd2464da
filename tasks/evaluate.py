"""Every figure of every variant: `python -m tasks.evaluate EXPORTS DATA REFERENCE OUT`, shown by `flows.report`."""

from pathlib import Path

from anime_model.recipes.evaluate import EvaluateStage
from anime_model.reference.network import reopen
from anime_model.report.baselines import Reference
from anime_model.report.evaluate import evaluate
from tasks.shared import common


def main(arguments: list[str]) -> None:
    exports, data, reference, out = map(Path, arguments)
    settings = common.settings(EvaluateStage).evaluate
    published = published_of(reference, settings.latency_threads)
    evaluate(exports.parent.name, exports, data, common.fresh(out), settings, common.show, published)


def published_of(found: Path, threads: int) -> Reference | None:
    """The network that the stage `reference` found, as it found it; its pin is checked. None where there is none."""
    facts = common.read_json(found)
    if not facts:
        return None
    opened = reopen(facts, threads)
    return Reference(opened, opened.network.path)


if __name__ == "__main__":
    common.run(main, "EXPORTS DATA REFERENCE OUT")
