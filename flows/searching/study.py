"""The study that workers share: its database, what all its trials have in common, and the trials."""

import json
import math
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import NSGAIISampler
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
DRAWS = 20_000  # random members among which a fast one is looked for
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
    study = optuna.create_study(study_name=name, storage=storage, directions=["minimize"] * 3, load_if_exists=True)
    if IDENTITY not in study.user_attrs:
        study.set_user_attr(IDENTITY, shared)
    _check(study, shared)
    if TEACHER not in study.user_attrs:
        found = measured()
        _check(study, shared)  # another worker may have begun the study in these minutes
        if TEACHER not in study.user_attrs:
            for key in sorted(found, key=TEACHER.__eq__):  # that one last: it says that all are there
                study.set_user_attr(key, found[key])
    return study


def _check(study: optuna.Study, shared: Shared) -> None:
    known = study.user_attrs[IDENTITY]
    if known != shared:
        other = ", ".join(key for key in shared if known.get(key) != shared[key])
        name = study.study_name
        raise SearchError(f"study {name!r}: is of another {other}; give this one a name of its own by --study")


def blocks(study: optuna.Study) -> list[BlockTime]:
    return [BlockTime(*row) for row in json.loads(study.user_attrs[BLOCKS])]


def packed(rows: list[BlockTime]) -> str:
    return json.dumps([list(asdict(row).values()) for row in rows])


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What a member chooses from: widths and depth as whole numbers, which a sampler may cross; kernels as choices."""
    found: dict[str, BaseDistribution] = {}
    for key, offered in space.choices.items():
        if key.endswith(".kernel") or len(offered) == 1:
            found[key] = CategoricalDistribution(offered)
        else:
            found[key] = IntDistribution(offered[0], offered[-1], step=offered[1] - offered[0])
    return found


def suggested(trial: optuna.Trial, space: Space) -> Choice:
    choice = {}
    for key, found in distributions(space).items():
        if isinstance(found, IntDistribution):
            choice[key] = trial.suggest_int(key, found.low, found.high, step=found.step)
        else:
            choice[key] = trial.suggest_categorical(key, space.choices[key])
    return choice


def level(space: Space, share: float) -> Choice:
    """The member with all widths at `share` (0 ... 1) of what they offer, of full depth and with the least kernels."""
    found = {key: offered[round(share * (len(offered) - 1))] for key, offered in space.choices.items()}
    found |= {key: offered[0] for key, offered in space.choices.items() if key.endswith(".kernel")}
    return found | ({DEPTH: space.choices[DEPTH][-1]} if DEPTH in space.choices else {})


def slowest(study: optuna.Study, faster: float | None) -> float:
    """Milliseconds of a member `faster` times as fast as the teacher."""
    return math.inf if faster is None else float(study.user_attrs[TEACHER]) / faster


def finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


class MemberSampler(NSGAIISampler):
    """NSGA-II whose first members are those that are equally wide everywhere, then random ones: all fast enough.

    Members that were put into the queue would be no parents of others: Optuna gives them no generation.
    """

    def __init__(self, space: Space, fast: Callable[[Choice], bool], seed: int | None = None) -> None:
        super().__init__(population_size=POPULATION, seed=seed)
        self.space, self.fast, self._source = space, fast, random.Random(seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {key: found for key, found in distributions(self.space).items() if not found.single()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(study, trial, search_space) or dict(self._first(trial.number))

    def _first(self, number: int) -> Choice:
        if number < LEVELS and self.fast(equal := level(self.space, number / (LEVELS - 1))):
            return equal
        drawn = (self.space.random(self._source) for _ in range(DRAWS))
        return next(filter(self.fast, drawn), self.space.end(0))


def run(
    study: optuna.Study,
    judge: Judge,
    trials: int,
    until: float | None,
    slowest: float = math.inf,
    seed: int | None = None,
) -> None:
    """Trials until the study has `trials` that are done, or `time.monotonic()` reaches `until`.

    Members that take more than `slowest` milliseconds are passed over: they are no trials that are done. Raises
    `SearchError` where all of the family's take more.
    """
    least = judge.ms(judge.space.end(0))
    if least > slowest:
        raise SearchError(f"no member is fast enough: the smallest takes {least:.1f} ms, of {slowest:.1f} at most")
    study.sampler = MemberSampler(judge.space, lambda choice: judge.ms(choice) <= slowest, seed)

    def objective(trial: optuna.Trial) -> tuple[float, float, int]:
        choice = suggested(trial, judge.space)
        if judge.ms(choice) > slowest:
            raise optuna.TrialPruned
        worth: Worth = judge(choice)
        return worth.lpips, worth.ms, worth.bytes

    def tell(study: optuna.Study, trial: FrozenTrial) -> None:
        done = len(finished(study))
        if done % 25 == 0 and trial.state == TrialState.COMPLETE:
            lpips, ms, size = trial.values
            print(
                f"{done} of {trials} members; the last: LPIPS {lpips:.4f}, {ms:.1f} ms, {size / 1e6:.2f} MB", flush=True
            )

    if len(finished(study)) >= trials:
        return
    left = None if until is None else max(1.0, until - time.monotonic())
    limit = MaxTrialsCallback(trials, states=(TrialState.COMPLETE,))
    study.optimize(objective, timeout=left, callbacks=[tell, limit])
