"""Newest data to new champion, or the reason why not.

`python -m flows.retrain [--recipe FILE] [--accept-data] [--no-promote]` runs once,
`python -m flows.retrain --serve --cron "0 3 * * 1"` every Monday at three.
"""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Event

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.schedules import Cron
from prefect.states import Cancelled, Completed, Failed, State

from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import Recipe, load_recipe
from flows.compress import REFUSED as PIPELINE_REFUSED
from flows.compress import STOPPED, check, ready_stages, run_pipeline
from flows.machine.lock import Busy, only_flow
from flows.machine.numbers import hours
from flows.pipeline.graph import load_sources
from flows.pipeline.recipe_file import use_recipe
from flows.pipeline.source_data import Runner, pull
from flows.promote import KNOWN as PROMOTION_KNOWN
from flows.promote import Wish, decide
from flows.registry import surveys
from flows.registry.champion import nominate_made
from flows.registry.versions import RegistryError
from flows.runs.console import QUIET, guarded, quiet, say, why
from flows.runs.naming import introduce
from flows.runs.notify import tell
from flows.runs.own_run import own_run
from flows.runs.progress import Progress
from flows.runs.server import ensure_server

KNOWN = (*PIPELINE_REFUSED, *PROMOTION_KNOWN)  # said in one line


@task(task_run_name="pull data", cache_policy=NO_CACHE, persist_result=False)
def pull_data(stop: Event, timeout: float) -> State:
    """The newest version of what DVC tracks of the recipe's data: Cached where it tracks none of them."""

    def work(progress: Progress) -> list[str]:
        return pull(load_sources(WORKSPACE), Runner(WORKSPACE, stop, timeout, progress.line, progress.talk))

    return _step("pull data", work, _pulled)


def _pulled(done: list[str]) -> State:
    text = ", ".join(done) or "DVC tracks neither photos nor frames: the folders are used as they are"
    return Completed(name="Completed" if done else "Cached", message=text)


@task(task_run_name="check data", cache_policy=NO_CACHE, persist_result=False)
def check_data(recipe: Recipe, accept: bool, stop: Event, timeout: float) -> State:
    """Every check as a table; Failed where a bound is broken, unless a person accepts the data as they are."""
    return _step(
        "check data",
        lambda progress: surveys.check(WORKSPACE, recipe, stop, timeout, progress.line),
        lambda rows: _judged(rows, recipe, accept),
    )


def _judged(rows: list[dict], recipe: Recipe, accept: bool) -> State:
    table = [
        {
            "check": row["name"],
            "figure": f"{row['figure']:.3g}",
            "bound": f"{row['rule']} {row['bound']:.3g}",
            "verdict": "passed" if row["passed"] else "failed",
            "detail": row["detail"],
        }
        for row in rows
    ]
    create_table_artifact(table, key="data-checks", description="The data before the retraining")
    failed = [f"{row['check']}: {row['figure']}, {row['bound']} ({row['detail']})" for row in table
              if row["verdict"] == "failed"]  # fmt: skip
    if failed and not accept:
        return Failed(message="\n".join(line.removesuffix(" ()") for line in failed))
    try:
        surveys.keep(WORKSPACE, recipe)
    except RegistryError as error:  # it is kept in the workspace
        get_run_logger().warning("the survey is not in MLflow: %s", error)
    return Completed(message=f"{len(rows)} checks" + (f", {len(failed)} failed and accepted" if failed else " passed"))


@task(task_run_name="promote@{style}", cache_policy=NO_CACHE, persist_result=False)
def promote_style(style: str, stop: Event, timeout: float) -> State:
    """The challenger of a style against its champion: Cached where there is no challenger."""
    try:
        challenger = nominate_made(WORKSPACE, style)
        if challenger.version is None:
            return Completed(name="Cached", message=challenger.why_none)
        outcome = decide(WORKSPACE, Wish(style, int(challenger.version.version)), stop, timeout)
    except KNOWN as error:
        get_run_logger().error("failed: %s", error)
        return Failed(message=str(error))
    return Completed(name=outcome.verdict.capitalize(), message=outcome.summary)


def _step(name: str, work: Callable[[Progress], object], state: Callable[[object], State]) -> State:
    """Work whose lines become Prefect's progress and log, and its end a state; what is known to go wrong is Failed."""
    logger = get_run_logger()
    try:
        with Progress(name, logger, WORKSPACE / "scratch" / "logs" / f"{name}.log") as progress:
            found = state(work(progress))
    except KNOWN as error:
        found = Failed(message=str(error))
    logger.log(40 if found.is_failed() else 20, "%s", found.message)
    return found


@flow(name="retrain", persist_result=False)
def retrain(
    recipe: str | None = None,
    accept_data: bool = False,
    promote: bool = True,
    notify: list[str] | None = None,
    timeout_hours: float = 24,
) -> State:
    """The newest data, checked; what changed, made again and registered; challengers against champions.

    `recipe` becomes `params.yaml` first. `accept_data` reports what is wrong with the data and goes on, for once.
    `notify` names Prefect's notification blocks besides those of the recipe. No step may take longer than
    `timeout_hours`.
    """
    stop, settings = Event(), None
    try:
        with only_flow(WORKSPACE) as note, own_run(note, stop) as cancelled:
            if kept := use_recipe(WORKSPACE, Path(recipe) if recipe else None):
                get_run_logger().warning("params.yaml was like no recipe: kept as %s", kept.name)
            introduce(WORKSPACE)
            settings = load_recipe(WORKSPACE / "params.yaml")
            state = _retrain(settings, accept_data, promote, stop, timeout_hours * 3600)
            if cancelled.is_set():
                state = Cancelled(message=STOPPED)
    except Busy as error:
        return Cancelled(message=f"not started: {error}")
    except KNOWN as error:
        state = Failed(message=str(error))
    except Exception as error:  # a fault, a full disk: who is to hear of the end hears of this one too
        tell([*(settings.notify if settings else ()), *(notify or ())], "retrain: failed", why(error))
        raise
    finally:
        stop.set()  # whatever still runs here has no one to wait for it
    tell([*(settings.notify if settings else ()), *(notify or ())], f"retrain: {state.name.lower()}", state.message)
    return state


def _retrain(recipe: Recipe, accept_data: bool, promote: bool, stop: Event, timeout: float) -> State:
    pulled = pull_data(stop, timeout, return_state=True)
    if pulled.is_failed():
        return Failed(message=f"pull data: {pulled.message}")
    if recipe.data.generate:  # pictures that the project draws itself have to be there before they can be looked at
        _, failed = run_pipeline(ready_stages(["generate"], stop, timeout), stop, timeout)
        if failed:
            return Failed(message="\n".join(failed))
    checked = check_data(recipe, accept_data, stop, timeout, return_state=True)
    if checked.is_failed():
        lines = [f"check data: {line}" for line in checked.message.splitlines()]
        return Failed(
            message="\n".join([*lines, "nothing was trained; --accept-data goes on with the data as they are"])
        )
    styles, failed = run_pipeline(ready_stages((), stop, timeout), stop, timeout)
    messages = []
    for style in styles if promote else ():
        ended = promote_style(style, stop, timeout, return_state=True)
        (failed if ended.is_failed() else messages).append(f"promote@{style}: {ended.message}")
    return (
        Failed(message="\n".join([*failed, *messages]))
        if failed
        else Completed(message="\n".join(messages) or "all stages up to date; promotion was left out")
    )


def serve(arguments: argparse.Namespace) -> None:
    """Stays, and starts the flow when it is time; a run that would be a second one is cancelled.

    A run that is under way ends with it: Prefect leaves it to itself, and would wait for its end.
    """
    schedule = Cron(arguments.cron, timezone=arguments.timezone) if arguments.cron else None
    if not arguments.debug:
        os.environ[QUIET] = "1"
        warnings.filterwarnings("ignore", "coroutine 'Runner.astop' was never awaited")  # Prefect's, at SIGTERM
    try:
        retrain.serve(
            name="retrain",
            schedule=schedule,
            parameters=_parameters(arguments),
            global_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
            print_starting_message=False,
        )
    finally:
        for run in multiprocessing.active_children():
            run.terminate()


def _parameters(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "recipe": arguments.recipe,
        "accept_data": arguments.accept_data,
        "promote": not arguments.no_promote,
        "notify": arguments.notify,
        "timeout_hours": arguments.timeout_hours,
    }


def main() -> int:
    """0 where all went well, refused promotions included; 1 where something failed; 2 where nothing could start."""
    arguments = _parser().parse_args()
    return guarded(lambda: _main(arguments), KNOWN, arguments.debug)


def _main(arguments: argparse.Namespace) -> int:
    if arguments.cron and not arguments.serve:
        raise RecipeError("--cron says when, --serve that it stays: give both, or neither to run once now")
    check(arguments.recipe)
    if not arguments.debug:
        quiet()
    page = ensure_server(WORKSPACE / ".prefect")
    if arguments.serve:
        when = f"at {arguments.cron!r} ({arguments.timezone})" if arguments.cron else "when it is told to in its pages"
        print(f"Prefect: {page}; retrain runs {when}, Ctrl-C ends this", file=sys.stderr)
        serve(arguments)
        return 0
    print(f"Prefect: {page} while this runs", file=sys.stderr)
    state = retrain(**_parameters(arguments), return_state=True)
    if state.is_cancelled():
        return say(state.message, 1 if state.message == STOPPED else 2)
    if not state.is_completed():
        return say(state.message, 1)
    print(state.message)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description=retrain.__doc__.splitlines()[0])
    parser.add_argument("--recipe", metavar="FILE", help="becomes params.yaml (default: the present params.yaml)")
    parser.add_argument("--accept-data", action="store_true", help="report what is wrong with the data and go on")
    parser.add_argument("--no-promote", action="store_true", help="leave the champions as they are")
    parser.add_argument("--notify", metavar="BLOCK", nargs="+", help="blocks of Prefect, such as slack-webhook/team")
    parser.add_argument("--timeout-hours", metavar="N", type=hours, default=24, help="longest time for one step")
    parser.add_argument("--serve", action="store_true", help="stay, and run by the schedule or from Prefect's pages")
    parser.add_argument("--cron", metavar="TEXT", help='with --serve: when, such as "0 3 * * 1" (Mondays at three)')
    parser.add_argument("--timezone", default="UTC", help="with --cron, such as Europe/Berlin (default: UTC)")
    parser.add_argument("--debug", action="store_true", help="show Prefect's own log and tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
