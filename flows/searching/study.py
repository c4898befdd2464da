"""The study that workers share: its database, what all its trials have in common, and the trials."""

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict

import optuna
from optuna.storages import RDBStorage
from optuna.study import MaxTrialsCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from anime_model.compression.block_times import BlockTime
from anime_model.compression.family import DEPTH, Choice, Space
from anime_model.compression.family_judge import Judge, Worth
from flows.machine.redact import redact
from flows.searching.errors import SearchError
from flows.searching.place import Place

optuna.logging.set_verbosity(optuna.logging.ERROR)
HEARTBEAT, GRACE, RETRIES = 20, 90, 3  # seconds; a killed worker's trial is taken up again so often
POPULATION = 40
LEVELS = 6  # members that are equally wide everywhere begin a study
IDENTITY, BLOCKS, TEACHER = "identity", "blocks", "teacher_ms"  # attributes of a study
Shared = dict[str, object]


def _storage(place: Place, url: str | None) -> RDBStorage:
    place.folder.mkdir(parents=True, exist_ok=True)
    where = url or f"sqlite:///{place.folder / 'study.db'}"
    try:
        with warnings.catch_warnings():  # it is "experimental" since version 2.8
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            again = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
            return RDBStorage(
                where, heartbeat_interval=HEARTBEAT, grace_period=GRACE, heartbeat_stale_trial_callback=again
            )
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        reason = redact(" ".join(str(getattr(error, "orig", None) or error).split()))
        raise SearchError(f"--storage {redact(where)}: cannot be used ({reason})") from error


def opened(place: Place, url: str | None, name: str | None) -> optuna.Study:
    """A study that is there. Raises `SearchError`."""
    try:
        return optuna.load_study(study_name=name or place.style, storage=_storage(place, url))
    except KeyError as error:
        raise SearchError(
            f"study {name or place.style!r}: is not there; search first, or name it by --study"
        ) from error


def joined(
    place: Place, url: str | None, name: str | None, shared: Shared, measured: Callable[[], Shared]
) -> optuna.Study:
    """The study, begun where it is not there. Raises `SearchError` where it has other `shared` facts.

    `measured` gives what only the first worker measures, so that all go by the same times.
    """
    name, storage = name or place.style, _storage(place, url)
    sampler = optuna.samplers.NSGAIISampler(population_size=POPULATION)
    study = optuna.create_study(
        study_name=name, storage=storage, directions=["minimize"] * 3, sampler=sampler, load_if_exists=True
    )
    known = study.user_attrs.get(IDENTITY)
    if known is None:
        for key, value in measured().items():
            study.set_user_attr(key, value)
        study.set_user_attr(IDENTITY, shared)
    elif known != shared:
        other = ", ".join(key for key in shared if known.get(key) != shared[key])
        raise SearchError(f"study {name!r}: is of another {other}; give this one a name of its own by --study")
    return study


def blocks(study: optuna.Study) -> list[BlockTime]:
    return [BlockTime(*row) for row in json.loads(study.user_attrs[BLOCKS])]


def packed(rows: list[BlockTime]) -> str:
    return json.dumps([list(asdict(row).values()) for row in rows])


def suggested(trial: optuna.Trial, space: Space) -> Choice:
    """A member: widths and depth as whole numbers, which a sampler may cross; kernels as choices."""
    choice = {}
    for key, offered in space.choices.items():
        if key.endswith(".kernel") or len(offered) == 1:
            choice[key] = trial.suggest_categorical(key, offered)
        else:
            choice[key] = trial.suggest_int(key, offered[0], offered[-1], step=offered[1] - offered[0])
    return choice


def level(space: Space, share: float) -> Choice:
    """The member with all widths at `share` (0 ... 1) of what they offer, of full depth and with the least kernels."""
    found = {key: offered[round(share * (len(offered) - 1))] for key, offered in space.choices.items()}
    found |= {key: offered[0] for key, offered in space.choices.items() if key.endswith(".kernel")}
    return found | ({DEPTH: space.choices[DEPTH][-1]} if DEPTH in space.choices else {})


def finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def run(study: optuna.Study, judge: Judge, trials: int, until: float | None) -> None:
    """Trials until the study has `trials` that are done, or `time.monotonic()` reaches `until`."""
    if not study.trials:
        for place in range(LEVELS):
            study.enqueue_trial(dict(level(judge.space, place / (LEVELS - 1))))

    def objective(trial: optuna.Trial) -> tuple[float, float, int]:
        worth: Worth = judge(suggested(trial, judge.space))
        return worth.lpips, worth.ms, worth.bytes

    def tell(study: optuna.Study, trial: FrozenTrial) -> None:
        done = len(finished(study))
        if done % 25 == 0:
            lpips, ms, size = trial.values
            print(
                f"{done} of {trials} members; the last: LPIPS {lpips:.4f}, {ms:.1f} ms, {size / 1e6:.2f} MB", flush=True
            )

    if len(finished(study)) >= trials:
        return
    left = None if until is None else max(1.0, until - time.monotonic())
    limit = MaxTrialsCallback(trials, states=(TrialState.COMPLETE,))
    study.optimize(objective, timeout=left, callbacks=[tell, limit])
