"""What a search has found: its front as a table, a chart and a run in MLflow, and the sizes that a person picks."""

from dataclasses import dataclass

import mlflow
import optuna
from mlflow.exceptions import MlflowException
from optuna.trial import FrozenTrial

from anime_model.figures.charts import front
from anime_model.figures.search import SPEEDUPS, chosen, read_members, search_html
from anime_model.figures.text import fixed
from anime_model.pictures.atomic import write_whole
from anime_model.pictures.tables import write_table
from anime_model.report.charts import Bubble, trade_off
from flows.pipeline.results import aligned_text
from flows.registry.versions import make_store, registry_error, use_experiment
from flows.searching.errors import SearchError
from flows.searching.place import Place
from flows.searching.study import IDENTITY, TEACHER, finished

KIND = "search"  # the tag of the MLflow runs that keep studies
FIGURES = ("trial", "LPIPS", "ms", "times faster", "MB in 32 bits")
FILES = ("front.csv", "trials.csv", "front.svg", "search.html")
SHOWN = 14  # points of the chart


@dataclass(frozen=True)
class Point:
    """One member: its trial, its figures and what it chose."""

    trial: int
    lpips: float
    ms: float
    times_faster: float  # than the teacher, as the tables have it
    bytes: int
    choice: dict[str, int]


def _point(trial: FrozenTrial, teacher: float) -> Point:
    lpips, ms, size = trial.values
    return Point(trial.number, lpips, ms, round(teacher / ms, 2), int(size), dict(trial.params))


def points(study: optuna.Study, front_only: bool = True) -> list[Point]:
    """Fastest first; on the front no other member is both faster and nearer (bytes are shown, not compared).

    Raises `SearchError` for a study that was broken off before its first trial.
    """
    if TEACHER not in study.user_attrs:
        raise SearchError(f"study {study.study_name!r}: the layers are not timed yet; search first")
    trials, teacher = finished(study), float(study.user_attrs[TEACHER])
    found = sorted((_point(trial, teacher) for trial in trials), key=lambda point: (point.ms, point.lpips))
    return _front(found) if front_only else found


def _front(found: list[Point]) -> list[Point]:
    return front(found, lambda point: (point.ms, point.lpips))


def sizes(study: optuna.Study) -> dict[str, Point]:
    """For each of `SPEEDUPS` the nearest member that is fast enough, where there is one."""
    return chosen(points(study))


def written(place: Place, study: optuna.Study) -> str:
    """Writes front.csv, trials.csv, front.svg and search.html; the picked sizes as text."""
    all_points = points(study, front_only=False)
    if not all_points:
        return "no member was judged"
    best = _front(all_points)
    found = chosen(best)
    write_table(place.folder / "front.csv", [_row(point) for point in best])
    write_table(place.folder / "trials.csv", [_row(point) for point in all_points])
    write_whole(place.folder / "front.svg", chart(best, found))
    write_whole(place.folder / "search.html", page(place))
    table = aligned_text([_shown(name, point) for name, point in found.items()], FIGURES) if found else ""
    missing = [f"{name}: no member is {times} times faster" for name, times in SPEEDUPS.items() if name not in found]
    return "\n".join(
        [*([table] if table else []), *missing, _recorded(place, study.user_attrs[IDENTITY], len(all_points), found)]
    )


def page(place: Place) -> str:
    """The chart to point at, as a page of its own."""
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{place.style}: a search</title>'
    width = "<style>body{max-width:900px;margin:24px auto;font:15px sans-serif}</style>"
    return f"{head}{width}{search_html(place.style, read_members(place.folder / 'trials.csv'))}</html>"


def _shown(name: str, point: Point) -> dict[str, str]:
    figures = fixed(4)(point.lpips), fixed(1)(point.ms), fixed(1)(point.times_faster), fixed(2)(point.bytes / 1e6)
    return dict(zip(("size", *FIGURES), (name, str(point.trial), *figures), strict=True))


def _row(point: Point) -> dict[str, float | int | str]:
    figures = {"trial": point.trial, "lpips": round(point.lpips, 5), "ms": round(point.ms, 3)}
    return {**figures, "times_faster": point.times_faster, "bytes": point.bytes, **point.choice}


def chart(front: list[Point], found: dict[str, Point]) -> str:
    """The front, with the `found` sizes by name."""
    named = {point.trial: name for name, point in found.items()}
    step = max(1, len(front) // SHOWN)
    shown = [point for place, point in enumerate(front) if place % step == 0 or point.trial in named]
    bubbles = [
        Bubble(named.get(point.trial, ""), point.ms, point.lpips, point.bytes, f"trial {point.trial}")
        for point in shown
    ]
    return str(trade_off(bubbles, "milliseconds of one picture", "LPIPS"))


def _recorded(place: Place, facts: dict[str, str], trials: int, found: dict[str, Point]) -> str:
    """A run of MLflow with every trial; says what became of it."""
    try:
        make_store(mlflow.get_tracking_uri())
        use_experiment()
        with mlflow.start_run(run_name=f"search {place.style}", tags={"kind": KIND, "style": place.style}):
            mlflow.log_params({**facts, "trials": trials})
            for name, point in found.items():
                mlflow.log_metrics({f"{name}.lpips": point.lpips, f"{name}.ms": point.ms, f"{name}.bytes": point.bytes})
            for name in FILES:
                mlflow.log_artifact(str(place.folder / name))
    except (MlflowException, OSError) as error:
        return f"{registry_error(error)}; the files are in {place.folder}"
    return f"{', '.join(FILES[:-1])} and {FILES[-1]} are in {place.folder.relative_to(place.root)} and in MLflow"
