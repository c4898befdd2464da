"""A challenger against the champion, and the gates in between:

`python -m flows.promote STYLE [--version N] [--dry-run] [--override GATE --reason TEXT] [--json]`
`python -m flows.promote STYLE --rollback --reason TEXT [--json]`
"""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.states import Completed, Failed, State

from anime_model.figures.text import interval, number
from anime_model.pictures.message import Message, about, listed, message_of, to_record
from anime_model.recipes.fields import NAME
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import load_recipe
from flows.machine.hashes import file_md5
from flows.pipeline.results import aligned_text
from flows.pipeline.run_stage import StageError, run_python
from flows.registry.champion import (
    CHAMPION,
    ChampionChanged,
    PromotionError,
    candidate,
    holder,
    newest,
    roll_back,
    rolled_back,
    set_champion,
    tag,
)
from flows.registry.gates import NAMES, Gate, gates
from flows.registry.versions import RegistryError, make_store, model_name, registry_error
from flows.runs.console import guarded, quiet, why
from flows.runs.naming import name as name_run
from flows.runs.progress import Progress, artifact_key
from flows.runs.server import ServerError, ensure_server

PROMOTED, REFUSED, WOULD, ROLLED_BACK = "promoted", "refused", "would promote", "rolled back"
FELL = "rolled_back"  # what a person may set aside besides a gate
ATTEMPTS = 3  # measurements, where other promotions change the champion meanwhile
KNOWN = (PromotionError, RecipeError, RegistryError, ServerError, StageError)  # said in one line


@dataclass(frozen=True)
class Wish:
    """What a person asks for. `override` names gates, or `rolled_back`, that `reason` sets aside for once."""

    style: str
    version: int | None = None
    dry_run: bool = False
    any_variant: bool = False
    override: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a challenger, and why."""

    style: str
    model: str
    version: int
    champion_before: int | None
    verdict: str
    gates: list[dict[str, Any]]
    reason: str

    @property
    def summary(self) -> str:
        if self.verdict == ROLLED_BACK:
            return f"{self.verdict}: {self.model} {self.champion_before} ({self.reason}); {self.version} serves now"
        return f"{self.verdict}: {self.model} {self.version} ({self.reason})"


@flow(name="promote", persist_result=False)
def promote(
    style: str,
    version: int | None = None,
    dry_run: bool = False,
    timeout_hours: float = 2,
    any_variant: bool = False,
    override: list[str] | None = None,
    reason: str = "",
) -> State:
    """Measure a version of `style` beside the champion and make it the champion where it passes every gate.

    Without `version` it is the challenger, else the newest lite version. `dry_run` changes nothing. `any_variant` takes
    a version that is no lite network too. `override` names gates that are measured and set aside for `reason`.
    """
    stop, wish = Event(), Wish(style, version, dry_run, any_variant, tuple(override or ()), reason)
    name_run(f"promote {style}" + (f" {version}" if version else ""), [style])
    try:
        check_override(wish)
        outcome = decide(WORKSPACE, wish, stop, timeout_hours * 3600)
    except KNOWN as error:
        return Failed(message=str(error), data=error)
    finally:
        stop.set()
    return Completed(name=outcome.verdict.capitalize(), message=outcome.summary, data=outcome)


def decide(root: Path, wish: Wish, stop: Event, timeout: float) -> Outcome:
    """Inside a flow run, which gets a table of the gates. Raises one of `KNOWN`."""
    logger = get_run_logger()
    try:
        for _ in range(ATTEMPTS):
            try:
                outcome = _decide(
                    root, wish, lambda files, teacher: _measured(root, wish.style, files, teacher, stop, timeout)
                )
            except ChampionChanged as error:
                logger.info("the champion is now version %s: measured again", error)
                continue
            try:
                publish(outcome)
            except Exception as error:  # Prefect is away; what became of the version stands in MLflow
                logger.warning("the table of the gates: %s", why(error))
            logger.info("%s", outcome.summary)
            return outcome
    except (MlflowException, OSError) as error:
        raise registry_error(error) from error
    busy = Message("other promotions changed the champion {count} times; run this again", count=ATTEMPTS)
    raise PromotionError(about(model_name(wish.style), busy))


Measure = Callable[[dict[str, Path], Path], dict[str, dict]]


def _decide(root: Path, wish: Wish, measure: Measure) -> Outcome:
    settings = load_recipe(root / "params.yaml").promote
    client, style, model = mlflow.MlflowClient(), wish.style, model_name(wish.style)
    challenger = candidate(client, model, wish.version, wish.any_variant)
    champion = holder(client, model, CHAMPION)

    def outcome(verdict: str, reason: str, found: Sequence[Gate] = ()) -> Outcome:
        before = int(champion.version) if champion else None
        rows = [gate.row() for gate in found]
        return Outcome(style, model, int(challenger.version), before, verdict, rows, reason)

    if why_not := _needless(challenger, champion) or _fell(client, model, challenger, wish):
        return outcome(REFUSED, why_not)
    with tempfile.TemporaryDirectory() as folder:
        sides = {"challenger": challenger} | ({"champion": champion} if champion else {})
        files = {name: _file(model, side, Path(folder, name)) for name, side in sides.items()}
        figures = measure(files, _teacher(client, root, style, Path(folder)))
    judged = gates(settings, figures["challenger"], figures.get("champion"), panel_score(challenger))
    found = [replace(gate, overridden=gate.name in wish.override and not gate.passed) for gate in judged]
    verdict, reason = _verdict(found, wish)
    tags = {f"gate_{gate.name}": gate.summary for gate in found} | {"promotion": f"{verdict}: {reason}"[:5000]}
    if verdict == PROMOTED:
        set_champion(client, model, challenger, champion, tags)
    elif not wish.dry_run:
        tag(client, model, challenger, tags)
    return outcome(verdict, reason, found)


def _verdict(found: Sequence[Gate], wish: Wish) -> tuple[str, str]:
    """What follows from the gates, and the reason in words."""
    if failed := [gate for gate in found if not gate.counts]:
        return REFUSED, listed([gate.failure for gate in failed])
    aside = [gate.name for gate in found if gate.overridden] + [name for name in wish.override if name == FELL]
    reason: list[str] = [Message("passed {count} gates", count=sum(gate.passed for gate in found))]
    reason += [f"{', '.join(aside)} overridden: {wish.reason}"] if aside else []
    return WOULD if wish.dry_run else PROMOTED, listed(reason)


def _fell(client: mlflow.MlflowClient, model: str, challenger: ModelVersion, wish: Wish) -> str:
    """That its file was rolled back, under whichever version, until a person sets that aside; else empty."""
    gone = None if FELL in wish.override else rolled_back(client, model, challenger)
    if gone is None:
        return ""
    reason = gone.tags.get("rolled_back_reason", "no reason given")
    return (
        f"its file was rolled back as version {gone.version}: {reason}; --override {FELL} --reason TEXT takes it again"
    )


def _needless(challenger: ModelVersion, champion: ModelVersion | None) -> str:
    """Why there is nothing to measure; empty where there is."""
    if champion is None:
        return ""
    if champion.version == challenger.version:
        return "it is the champion already"
    same = challenger.tags.get("dvc_md5") and challenger.tags.get("dvc_md5") == champion.tags.get("dvc_md5")
    return Message("its file is that of the champion, version {version}", version=champion.version) if same else ""


def panel_score(version: ModelVersion) -> float | None:
    """What people gave the network (1 to 5), None where nobody was asked. Raises `PromotionError`."""
    text = version.tags.get("panel_overall")
    try:
        return None if text is None else float(text)
    except ValueError:
        why = Message("its tag panel_overall is no number: {value!r}", value=text)
        raise PromotionError(about(f"{version.name} {version.version}", why)) from None


def _file(model: str, version: ModelVersion, folder: Path) -> Path:
    """The version's ONNX file, compared with the hash that it was registered by. Raises `PromotionError`."""
    folder.mkdir()
    mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{model}/{version.version}", dst_path=str(folder))
    path = next(iter(sorted(folder.rglob("*.onnx"))), None)
    if path is None:
        raise PromotionError(Message("{model} {version} holds no ONNX file", model=model, version=version.version))
    found, wanted = file_md5(path), version.tags.get("dvc_md5")
    if wanted and wanted != found:
        why = Message("its file is not the registered one any more (md5 {md5})", md5=found)
        raise PromotionError(about(f"{model} {version.version}", why))
    return path


def _teacher(client: mlflow.MlflowClient, root: Path, style: str, folder: Path) -> Path:
    """The present teacher: the workspace's, else the newest registered one. Raises `PromotionError`."""
    here = root / "artifacts" / style / "exports" / "teacher.onnx"
    if here.is_file():
        return here
    found = newest(client, model_name(style), "teacher")
    if found is None:
        text = "no teacher of {style}, neither {path} nor in MLflow: run `python -m flows.compress` first"
        raise PromotionError(Message(text, style=style, path=str(here)))
    return _file(model_name(style), found, folder / "teacher")


def _measured(
    root: Path, style: str, files: dict[str, Path], teacher: Path, stop: Event, timeout: float
) -> dict[str, dict[str, float | int | str]]:
    """The figures of both, by a process of its own."""
    out, log = files["challenger"].parent / "figures.json", root / "scratch" / "logs" / f"promote@{style}.log"
    named = json.dumps({name: str(path) for name, path in files.items()})
    command = ["-m", "flows.registry.compare", f"artifacts/{style}", str(teacher), str(out), named]
    with Progress(f"promote@{style}", get_run_logger(), log) as progress:
        run_python(command, root, stop, timeout, progress.line)
    return json.loads(out.read_text())


def publish(outcome: Outcome) -> None:
    """The gates as a table of the flow run."""
    create_table_artifact(gate_rows(outcome), key=artifact_key(f"gates {outcome.style}"), description=outcome.summary)


def gate_rows(outcome: Outcome) -> list[dict[str, str]]:
    return [
        {
            "gate": gate["name"],
            "champion": number(gate["champion"]),
            "challenger": number(gate["figure"]) + interval(gate.get("low"), gate.get("high")),
            "bound": f"{gate['rule']} {number(gate['bound'])}",
            "verdict": "passed" if gate["passed"] else "overridden" if gate["overridden"] else "failed",
        }
        for gate in outcome.gates
    ]


def rollback(style: str, reason: str) -> Outcome:
    """The former champion serves again, at once and with no server of Prefect. Raises one of `KNOWN`."""
    model = model_name(style)
    try:
        former, gone = roll_back(mlflow.MlflowClient(), model, reason)
    except (MlflowException, OSError) as error:
        raise registry_error(error) from error
    return Outcome(style, model, int(former.version), int(gone.version), ROLLED_BACK, [], reason)


def main() -> int:
    """0 promoted, would promote or rolled back; 1 refused; 2 where nothing could be decided."""
    arguments = _parser().parse_args()
    return guarded(lambda: _main(arguments), KNOWN, arguments.debug)


def _main(arguments: argparse.Namespace) -> int:
    try:
        return _promoted(arguments)
    except KNOWN as error:
        if arguments.json:  # for programs; `guarded` says it to people
            said = about("error", message_of(error))
            print(json.dumps({"verdict": "failed", "reason": said, "message": to_record(said)}))
        raise


def _promoted(arguments: argparse.Namespace) -> int:
    check(arguments)
    make_store(mlflow.get_tracking_uri())
    if arguments.rollback:
        outcome = rollback(arguments.style, arguments.reason.strip())
    else:
        if not arguments.debug:
            quiet()
        print(f"Prefect: {ensure_server(WORKSPACE / '.prefect')} while this runs", file=sys.stderr)
        options = (arguments.style, arguments.version, arguments.dry_run)
        why = {"override": arguments.override, "reason": arguments.reason.strip()}
        state = promote(*options, any_variant=arguments.any_variant, **why, return_state=True)
        if not state.is_completed():
            raise _reason(state)
        outcome = state.result()
    if outcome.gates:
        print(aligned_text(gate_rows(outcome), right=("champion", "challenger")))
    print(outcome.summary)
    if arguments.json:
        print(json.dumps(asdict(outcome) | {"message": to_record(outcome.reason)}))
    return 1 if outcome.verdict == REFUSED else 0


def _reason(state: State) -> Exception:
    """Why the flow failed: what it raised itself, or what Prefect says of it."""
    raised = state.result(raise_on_failure=False)
    return raised if isinstance(raised, KNOWN) else PromotionError(state.message)


def check(arguments: argparse.Namespace) -> None:
    """What can be known to be wrong before a server is started. Raises one of `KNOWN`."""
    load_recipe(WORKSPACE / "params.yaml")
    if not re.fullmatch(NAME, arguments.style):
        text = "{style!r} is no style: a letter, then small letters, digits, '-' and '_', such as shinkai"
        raise PromotionError(Message(text, style=arguments.style))
    if arguments.rollback and (arguments.version or arguments.dry_run or arguments.any_variant or arguments.override):
        raise PromotionError(
            "--rollback goes to the former champion: it takes no --version, --dry-run, --any-variant or --override"
        )
    check_override(Wish(arguments.style, override=tuple(arguments.override), reason=arguments.reason))
    if arguments.rollback and not arguments.reason.strip():
        raise PromotionError("--rollback needs --reason TEXT: the next person wants to know why")


def check_override(wish: Wish) -> None:
    """Raises `PromotionError` where a gate of no such name is set aside, or one without a reason."""
    known = (*NAMES, FELL)
    if unknown := [name for name in wish.override if name not in known]:
        text = "--override {gate}: no gate of that name; choose from {choices}"
        raise PromotionError(Message(text, gate=unknown[0], choices=", ".join(known)))
    if wish.override and not wish.reason.strip():
        raise PromotionError("--override needs --reason TEXT: the next person wants to know why")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.promote", description="Promote a version, or roll back.")
    parser.add_argument("style", help="such as shinkai")
    parser.add_argument(
        "--version", type=int, metavar="N", help="default: the challenger, else the newest int8 version"
    )
    parser.add_argument("--any-variant", action="store_true", help="take a version that is no int8 network too")
    parser.add_argument("--dry-run", action="store_true", help="measure and judge, change nothing")
    parser.add_argument("--rollback", action="store_true", help="the former champion serves again")
    parser.add_argument(
        "--override", metavar="GATE", nargs="+", default=[], help=f"gates to set aside, or {FELL}: a file that was"
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why it is rolled back, or a gate set aside")
    parser.add_argument("--json", action="store_true", help="the last line of stdout is the outcome as JSON")
    parser.add_argument("--debug", action="store_true", help="show Prefect's own log and tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
