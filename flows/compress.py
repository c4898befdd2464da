"""The whole pipeline under Prefect: every stage of `dvc.yaml` as a task run, then the record in MLflow.

`python -m flows.compress [--recipe FILE] [--targets STAGE ...] [--dry-run]`
"""

from flows.machine.environment import WORKSPACE  # first: the tools read their settings when they are imported

# isort: split

import argparse
import queue
import signal
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from threading import Event

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed, State

from anime_model.pictures.cores import cores_here
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import Recipe, load_recipe
from anime_model.recipes.training import TrainingSettings
from flows.machine import git
from flows.machine.gpus import gpus_here, some_gpus
from flows.machine.lock import Busy, hold, only_flow
from flows.machine.numbers import hours
from flows.machine.redact import redact
from flows.pipeline import plan
from flows.pipeline.cache import remove_damaged
from flows.pipeline.graph import GraphError, Stage, load_pipeline, load_stages
from flows.pipeline.preflight import check_machine
from flows.pipeline.recipe_file import recipe_name, use_recipe
from flows.pipeline.run_stage import StageError, reproduce, run_python
from flows.pipeline.source_data import Runner, out_of_sync, sync
from flows.pipeline.tracked import Source
from flows.pool.clone import CloneError, check_code, pooled
from flows.pool.exchange import Listener, check_remote, push_rest, shared
from flows.pool.remote import RemoteError
from flows.report import write_reports
from flows.runs.console import quiet, say, why
from flows.runs.naming import introduce
from flows.runs.own_run import own_run
from flows.runs.progress import Progress
from flows.runs.publish import publish
from flows.runs.server import ServerError, ensure_server

RECORDED = "evaluate"  # the stage whose figures MLflow gets
ALONE = (RECORDED, "quantize")  # measure times: nothing else may run, of any style


Submit = Callable[[Stage, list[PrefectFuture]], PrefectFuture]
STOPPED = "stopped; finished stages are kept and the stopped one goes on from where it was"
REFUSED = (
    Busy,
    CloneError,
    GraphError,
    RecipeError,
    RemoteError,
    ServerError,
    StageError,
)  # known before any work, said in one line


@task(
    task_run_name="{name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=1,  # only where it may help: a stage that was killed goes on from its scratch folder
    retry_delay_seconds=5,
    retry_condition_fn=lambda task, run, state: state.name == "Interrupted",
)
def bring_up_to_date(name: str, changed: str, stop: Event, timeout: float, devices: int) -> State:
    """One stage: Cached where DVC finds nothing to do, before it starts or when it looks again.

    It sees `devices` GPUs of its own where there are as many.
    """
    logger = get_run_logger()
    if not changed:
        logger.info("cached")
        return Completed(name="Cached", message="unchanged")
    logger.info("runs (%s)", changed)
    start, log = time.monotonic(), WORKSPACE / "scratch" / "logs" / f"{name}.log"
    try:
        with Progress(name, logger, log) as progress:
            listener = Listener(progress.line, progress.talk, logger.warning)
            with shared(name, WORKSPACE, stop, listener) as pull, some_gpus(devices) as seen:
                say = (progress.line, progress.talk, pull, seen)
                cached = reproduce(name, WORKSPACE, stop, timeout, *say)
                while damaged := remove_damaged(WORKSPACE, name):
                    logger.warning("damaged, made again: %s", ", ".join(damaged))
                    cached = reproduce(name, WORKSPACE, stop, timeout, *say)
    except StageError as error:
        logger.error("failed: %s", error)
        message = f"{redact(str(error))} (all it said: {log.relative_to(WORKSPACE)})"
        return Failed(name="Interrupted" if error.transient else "Failed", message=message)
    logger.info("cached" if cached else f"done in {time.monotonic() - start:.0f} s")
    return Completed(name="Cached" if cached else "Completed")


@task(task_run_name="data", cache_policy=NO_CACHE, persist_result=False)
def sync_data(sources: Sequence[Source], stop: Event, timeout: float) -> State:
    """What DVC tracks of the data: each folder and its `.dvc` file made to agree."""
    logger, log = get_run_logger(), WORKSPACE / "scratch" / "logs" / "data.log"
    try:
        with Progress("data", logger, log) as progress:
            done = sync(sources, Runner(WORKSPACE, stop, timeout, progress.line, progress.talk), remote=pooled())
    except (GraphError, StageError) as error:
        return Failed(message=redact(str(error)))
    for line in done:
        logger.info("%s", line)
    return Completed(message="\n".join(done))


@task(task_run_name="register", cache_policy=NO_CACHE, persist_result=False, retries=1, retry_delay_seconds=3)
def record(styles: Sequence[str]) -> State:
    """What was evaluated, into MLflow: Cached where it has everything already."""
    from flows.registry.champion import nominate_made
    from flows.registry.versions import RegistryError, register  # MLflow takes two seconds to import

    logger = get_run_logger()
    if problem := git.commit(WORKSPACE)[1]:
        logger.warning("the versions' commit is not known: %s", problem)
    try:
        new = register(WORKSPACE, styles, recipe_name(WORKSPACE))
        for style in styles:
            nominate_made(WORKSPACE, style)
    except RegistryError as error:
        logger.error("failed: %s", error)
        return Failed(message=f"{error}; the files are kept, `python -m flows.compress` registers them later")
    logger.info("registered %s", ", ".join(new) or "nothing: MLflow has it all")
    return Completed(name="Completed" if new else "Cached")


def stages_at_once(training: TrainingSettings) -> int:
    """Stages at once: styles run side by side as far as there are GPUs, or cores where they train on these.

    Two trainings rarely fit into one GPU, and leave the cores idle; on a CPU, threads that wait for each other on the
    same core make both stages many times slower.
    """
    if gpus := gpus_to_use(training):
        return max(1, gpus // training.devices)
    return max(1, cores_here() // (training.threads * training.devices))


def gpus_to_use(training: TrainingSettings) -> int:
    """How many GPUs this machine has for stages that train; 0 where they train on the CPU."""
    return len(gpus_here()) if training.accelerator in ("auto", "cuda") else 0


def run_stages(stages: Sequence[Stage], submit: Submit, slots: int, stop: Event) -> dict[str, PrefectFuture]:
    """Every stage with its final state, each submitted as soon as those that it waits for have ended.

    Whatever their end: where one failed, Prefect says so in the state of the waiting one, and other styles go on. After
    `stop` none begins.
    """
    ended: queue.SimpleQueue[Stage] = queue.SimpleQueue()
    waiting, running, futures, states = list(stages), set(), {}, {}
    while running or (waiting and not stop.is_set()):
        while not stop.is_set() and (stage := _next(waiting, running, states, slots)):
            waiting.remove(stage)
            running.add(stage)
            futures[stage.name] = submit(stage, [futures[name] for name in stage.upstream])
            futures[stage.name].add_done_callback(lambda _, stage=stage: ended.put(stage))
        stage = ended.get()
        running.remove(stage)
        futures[stage.name].wait()
        states[stage.name] = futures[stage.name].state
    return {name: futures[name] for name in states}


def _next(waiting: Sequence[Stage], running: set[Stage], states: Collection[str], slots: int) -> Stage | None:
    """The stage to start now. One that measures times starts where nothing runs and nothing else is ready, and nothing
    starts beside it.
    """
    if len(running) >= slots or any(stage.kind in ALONE for stage in running):
        return None
    ready = [stage for stage in waiting if all(name in states for name in stage.upstream)]
    beside = [stage for stage in ready if stage.kind not in ALONE]
    return next(iter(beside or (ready if not running else ())), None)


@flow(name="compress", persist_result=False)
def compress(
    recipe: str | None = None,
    targets: list[str] | None = None,
    timeout_hours: float = 24,
    styles: list[str] | None = None,
    commit: str | None = None,
) -> State:
    """Bring every stage up to date, then register what was evaluated.

    `recipe` is a file that becomes `params.yaml` first; `targets` limits the stages, as in `load_stages`, and `styles`
    to these; no stage may take longer than `timeout_hours`. A worker whose clone is not at `commit` refuses.
    """
    stop = Event()
    try:
        check_code(WORKSPACE, commit or "")
        check_remote(WORKSPACE)
        with only_flow(WORKSPACE) as note, own_run(note, stop) as cancelled:
            if kept := use_recipe(WORKSPACE, Path(recipe) if recipe else None):
                get_run_logger().warning("params.yaml was like no recipe: kept as %s", kept.name)
            introduce(WORKSPACE, styles)
            wanted, timeout = of_styles(targets or (), styles or ()), timeout_hours * 3600
            state = _compress(ready_stages(wanted, stop, timeout), stop, timeout)
            return Cancelled(message=STOPPED) if cancelled.is_set() else state
    except REFUSED as error:
        return Failed(message=str(error))
    finally:
        stop.set()  # whatever still runs here has no one to wait for it


def of_styles(targets: Sequence[str], styles: Sequence[str]) -> list[str]:
    """`targets` for `load_stages`: with `styles`, theirs alone. Raises `RecipeError` for one that the recipe lacks."""
    if not styles:
        return list(targets)
    known = load_recipe(WORKSPACE / "params.yaml").styles
    if foreign := [style for style in styles if style not in known]:
        raise RecipeError(f"styles: {', '.join(foreign)}: not in params.yaml, which has {', '.join(known)}")
    return [target if "@" in target else f"{target}@{style}" for target in (targets or ("",)) for style in styles]


def ready_stages(targets: Sequence[str], stop: Event, timeout: float) -> list[Stage]:
    """Inside a flow run: the stages, once the data that DVC tracks are there as it tracks them. Raises `GraphError`."""
    pipeline = load_pipeline(WORKSPACE, targets)
    stages = pipeline.stages
    if out_of_sync(pipeline.sources):
        state = sync_data(pipeline.sources, stop, timeout, return_state=True)
        if not state.is_completed():
            raise GraphError(f"data: {state.message}")
        stages = load_stages(WORKSPACE, targets)
    foresee(stages, stop, timeout)
    return stages


def foresee(stages: Sequence[Stage], stop: Event, timeout: float) -> None:
    """Before hours of work: whether all networks are there, and how long it will be. Raises `GraphError`."""
    if not any(stage.changed for stage in stages):
        return
    recipe = load_recipe(WORKSPACE / "params.yaml")
    steps, foreign = plan.steps_to_do(stages, recipe), recipe.needs_downloads()
    if sum(steps.values()) < plan.LONG and not foreign:
        return
    state = look_ahead([stage.kind for stage in stages if stage.changed], steps, stop, timeout, return_state=True)
    if not state.is_completed():
        raise GraphError(state.message)


@task(task_run_name="look ahead", cache_policy=NO_CACHE, persist_result=False)
def look_ahead(kinds: Sequence[str], steps: dict[str, int], stop: Event, timeout: float) -> State:
    """Loads every network that a stage will need; times a few steps of training where there are many of them."""
    logger, recipe, message = get_run_logger(), load_recipe(WORKSPACE / "params.yaml"), "all networks are there"
    try:
        with Progress("look ahead", logger, WORKSPACE / "scratch" / "logs" / "look ahead.log") as progress:
            check = ["-m", "flows.pipeline.check_networks", ",".join(dict.fromkeys(kinds))]
            run_python(check, WORKSPACE, stop, timeout, progress.line, progress.talk)
            if sum(steps.values()) >= plan.LONG:
                message += f"; {estimated(steps, recipe, stop, timeout, progress.line)}"
    except StageError as error:
        return Failed(message=redact(str(error)))
    logger.info("%s", message)
    return Completed(message=message)


def estimated(
    steps: dict[str, int], recipe: Recipe, stop: Event, timeout: float, on_line: Callable[[str], None]
) -> str:
    """How long the training will be, in words. Raises `StageError`."""
    times = plan.step_times(WORKSPACE, stop, timeout, on_line)
    if not times:
        return "training is on a GPU, which was not timed"
    seconds = plan.seconds_to_do(steps, times, stages_at_once(recipe.training), recipe)
    each = ", ".join(f"{times[who]:.2g} s for the {who}" for who in ("teacher", "student"))
    return f"about {plan.duration(seconds)} of training here ({sum(steps.values())} steps; {each})"


def _compress(stages: Sequence[Stage], stop: Event, timeout: float) -> State:
    _, failed = run_pipeline(stages, stop, timeout)
    return Failed(message="\n".join(failed)) if failed else Completed(message=f"{len(stages)} stages up to date")


def run_pipeline(stages: Sequence[Stage], stop: Event, timeout: float) -> tuple[list[str], list[str]]:
    """Inside a flow run: every stage, then the record. The styles that MLflow has, and what failed, in lines."""

    def submit(stage: Stage, upstream: list[PrefectFuture]) -> PrefectFuture:
        return bring_up_to_date.submit(stage.name, stage.changed, stop, timeout, devices, wait_for=upstream)

    training = load_recipe(WORKSPACE / "params.yaml").training
    devices = training.devices if gpus_to_use(training) else 0
    futures = run_stages(stages, submit, stages_at_once(training), stop)
    states = {name: future.state for name, future in futures.items()}
    failed = [f"{name}: {state.message}" for name, state in states.items() if state.is_failed()]
    skipped = [name for name, state in states.items() if not state.is_final()]
    failed += [f"not run for that reason: {', '.join(skipped)}"] if skipped else []
    finished = {name for name, state in states.items() if state.is_completed()}
    listener = Listener(get_run_logger().info, None, get_run_logger().warning)
    failed += push_rest(sorted(finished), WORKSPACE, stop, listener)
    measured = [stage for stage in stages if stage.kind == RECORDED and stage.name in finished]
    styles = [stage.style for stage in measured]
    if styles and not stop.is_set():
        try:
            write_reports(WORKSPACE, styles)
        except (OSError, ValueError) as error:  # the figures are there, and are recorded without a page
            failed.append(f"report: {error}")
        recorded = record(styles, return_state=True, wait_for=[futures[stage.name] for stage in measured])
        publish(WORKSPACE, styles)
        if not recorded.is_completed():
            return [], [*failed, f"register: {recorded.message}"]
    return styles, failed


def main() -> int:
    """The command line: one line for each thing that went wrong, never a traceback unless `--debug` asks for it."""
    arguments = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a polite kill ends like Ctrl-C: with the stages
        signal.signal(number, signal.default_int_handler)
    try:
        check(arguments.recipe)
        hold(WORKSPACE)
        if arguments.dry_run:
            return dry_run(arguments)
        if not arguments.debug:
            quiet()
        print(f"Prefect: {ensure_server(WORKSPACE / '.prefect')} while this runs", file=sys.stderr)
        state = compress(arguments.recipe, arguments.targets, arguments.timeout_hours, return_state=True)
    except KeyboardInterrupt:
        return say(STOPPED, 130)
    except REFUSED as error:
        return say(str(error), 2)
    except Exception as error:
        if arguments.debug:
            raise
        return say(why(error), 1)
    return 0 if state.is_completed() else say(state.message, 1)


def check(recipe: str | None) -> None:
    """What can be known to be wrong before a server is started. Raises one of `REFUSED`."""
    if not (WORKSPACE / ".dvc").is_dir():
        raise GraphError(f"{WORKSPACE} is no DVC project (no .dvc folder): run this in a clone of the project")
    check_machine(WORKSPACE, load_recipe(recipe or WORKSPACE / "params.yaml"))


def dry_run(arguments: argparse.Namespace) -> int:
    """What would run and why, on stdout; nothing is changed and no server started. Raises one of `REFUSED`."""
    recipe = load_recipe(WORKSPACE / "params.yaml")
    if arguments.recipe and Path(arguments.recipe).read_bytes() != (WORKSPACE / "params.yaml").read_bytes():
        raise RecipeError(
            f"--dry-run looks at the present params.yaml: keep it under another name, then "
            f"cp {arguments.recipe} params.yaml"
        )
    pipeline = load_pipeline(WORKSPACE, arguments.targets or ())
    print("\n".join(plan.plan_lines(pipeline, recipe)), flush=True)
    if sum((steps := plan.steps_to_do(pipeline.stages, recipe)).values()) >= plan.LONG:
        print(estimated(steps, recipe, Event(), 600, lambda line: None))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.compress", description=compress.__doc__.splitlines()[0])
    parser.add_argument("--recipe", metavar="FILE", help="becomes params.yaml (default: the present params.yaml)")
    parser.add_argument(
        "--targets", metavar="STAGE", nargs="+", help="only these stages and what they need: prune@cel, prune"
    )
    parser.add_argument(
        "--timeout-hours", metavar="N", type=hours, default=24, help="longest time for one stage (default: 24)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would run, why and how long; change nothing")
    parser.add_argument("--debug", action="store_true", help="show Prefect's own log and tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
