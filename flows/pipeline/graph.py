"""DVC's expanded pipeline, in process: which stages there are, what they wait for, which of them have to run."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import networkx
import psutil
from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo, lock_repo
from dvc.stage import Stage as DvcStage
from dvc.utils.serialize import EncodingError, YAMLFileCorruptedError
from dvc.utils.strictyaml import YAMLValidationError

from flows.pipeline.tracked import Source, sources_of

T = TypeVar("T")
CUT_OFF = (YAMLFileCorruptedError, YAMLValidationError, EncodingError)  # a file whose writing a kill interrupted


class GraphError(RuntimeError):
    """A pipeline that cannot be read, or a target that it does not have; the message is one line."""


@dataclass(frozen=True)
class Stage:
    """One stage of the expanded pipeline, such as `prune@cel`."""

    name: str
    upstream: tuple[str, ...]  # stages whose outs this one reads
    changed: str  # why the stage has to run; empty where DVC finds it unchanged

    @property
    def kind(self) -> str:
        """The name in `dvc.yaml`: `prune` of `prune@cel`."""
        return self.name.partition("@")[0]

    @property
    def style(self) -> str:
        """The matrix value: `cel` of `prune@cel`; empty for a stage without a matrix."""
        return self.name.partition("@")[2]


@dataclass(frozen=True)
class Pipeline:
    """The stages in an order in which they can run, and the data that DVC tracks among what they read."""

    stages: list[Stage]
    sources: list[Source]


def load_stages(root: Path, targets: Sequence[str] = ()) -> list[Stage]:
    """The stages alone, as `load_pipeline` finds them."""
    return load_pipeline(root, targets).stages


def load_pipeline(root: Path, targets: Sequence[str] = ()) -> Pipeline:
    """The pipeline of the project at `root`, with the status of every stage and of all tracked data.

    `targets` are stages (`prune@cel`), all stages of a kind (`prune`) or of a style (`@cel`); what they depend on comes
    with them. The status is asked for once, in process, under DVC's lock. A stage that waits for a changed one counts
    as changed: whether it really is can be said only after the other has run. A `.dvc` file that no stage reads is left
    out. Raises `GraphError`.
    """
    forget_dead_locks(root)
    return _whole_lock(root, lambda: _load(root, targets))


def load_sources(root: Path, targets: Sequence[str] = ()) -> list[Source]:
    """The tracked data alone, without a look at every file that stages depend on. Raises `GraphError`."""
    forget_dead_locks(root)
    return _whole_lock(root, lambda: _with_graph(root, lambda graph: _sources(_with_upstream(graph, targets), root)))


def _whole_lock(root: Path, load: Callable[[], T]) -> T:
    """What `load` gives; a `dvc.lock` that was cut off is put aside first."""
    try:
        return load()
    except CUT_OFF as error:
        if "dvc.lock" not in str(error):
            raise GraphError(f"DVC cannot read the pipeline: {' '.join(str(error).split())}") from error
        (root / "dvc.lock").replace(root / "dvc.lock.broken")
        logging.getLogger(__name__).warning(
            "dvc.lock was cut off: kept as dvc.lock.broken, filled again from the cache"
        )
        return load()


def _load(root: Path, targets: Sequence[str]) -> Pipeline:
    def found(graph: networkx.DiGraph) -> Pipeline:
        wanted = _with_upstream(graph, targets)
        return Pipeline(_stages(graph, wanted), _sources(wanted, root))

    return _with_graph(root, found)


def _sources(wanted: Iterable[DvcStage], root: Path) -> list[Source]:
    found = [source for node in wanted if node.is_data_source for source in sources_of(node, root)]
    return sorted(found, key=lambda source: source.file)


def _with_graph(root: Path, ask: Callable[[networkx.DiGraph], T]) -> T:
    """What `ask` finds in DVC's graph, under DVC's lock. Raises `GraphError` or one of `CUT_OFF`."""
    try:
        repo = Repo(str(root), _wait_for_lock=True)
        try:
            with lock_repo(repo), chdir(root):  # DVC names stages as seen from the current folder
                return ask(repo.index.graph)
        finally:
            repo.close()
    except NotDvcRepoError:
        raise GraphError(f"{root} is no DVC project (no .dvc folder): run this in a clone of the project") from None
    except CUT_OFF:
        raise
    except DvcException as error:
        raise GraphError(f"DVC cannot read the pipeline: {' '.join(str(error).split())}") from error


def _stages(graph: networkx.DiGraph, wanted: set[DvcStage]) -> list[Stage]:
    """Generation by generation, so that the same stage of every style comes side by side."""
    commands = graph.subgraph(node for node in wanted if not node.is_data_source)
    generations = networkx.topological_generations(commands.reverse())
    stages: dict[str, Stage] = {}
    for node in (node for nodes in generations for node in sorted(nodes, key=lambda node: node.addressing)):
        upstream = () if node.frozen else tuple(sorted(other.addressing for other in commands.successors(node)))
        before = ", ".join(name for name in upstream if stages[name].changed)
        changed = _reason(node) or (f"after {before}" if before else "")
        stages[node.addressing] = Stage(node.addressing, upstream, changed)
    return list(stages.values())


def _with_upstream(graph: networkx.DiGraph, targets: Iterable[str]) -> set[DvcStage]:
    """The stages that `targets` name and all that they need; every stage without a target. Edges point upstream."""
    commands = [node for node in graph if not node.is_data_source]
    wanted: set[DvcStage] = set()
    for target in targets or (None,):
        named = [node for node in commands if target in (None, *_names(node))]
        if not named:
            known = ", ".join(sorted(node.addressing for node in commands))
            raise GraphError(f"no stage {target!r} in dvc.yaml: choose from {known}")
        wanted.update(named, *(networkx.descendants(graph, node) for node in named))
    return wanted


def _names(node: DvcStage) -> tuple[str, ...]:
    """What people may call a stage by: `prune@cel`, `prune`, `@cel`."""
    kind, _, style = node.addressing.partition("@")
    return (node.addressing, kind, f"@{style}") if style else (node.addressing, kind)


def _reason(node: DvcStage) -> str:
    """DVC's status of one stage in words, such as `changed deps: tasks/prune.py`; empty where nothing changed."""
    status = node.status().get(node.addressing, [])
    if not status:
        return ""  # most stages most of the time: reading their numbers again would take seconds with many styles
    if node.outs and not any(out.hash_info for out in node.outs):
        return "for the first time"
    keys = {str(dep): changed_keys(dep) for dep in node.deps if isinstance(dep, ParamsDependency)}
    return "; ".join(
        reason if isinstance(reason, str) else "; ".join(_words(kind, files, keys) for kind, files in reason.items())
        for reason in status
    )


def _words(kind: str, files: Mapping[str, object], keys: Mapping[str, list[str]], most: int = 3) -> str:
    """`changed deps: tasks/prune.py, params.yaml (prune.rounds)`; numbers come first: they are never cut off."""
    names = sorted(files, key=lambda file: file not in keys)
    shown = [f"{name} ({_some(keys[name], most)})" if keys.get(name) else name for name in names]
    return f"{kind}: {_some(shown, most)}"


def _some(names: Sequence[str], most: int) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def changed_keys(dep: ParamsDependency) -> list[str]:
    """The keys whose values are others than in `dvc.lock`, down to the single number: `prune.rounds`."""
    then, now = (dict(_flat(tree)) for tree in (dep.hash_info.value or {}, dep.read_params()))
    return sorted(key for key in then.keys() | now.keys() if then.get(key, then) != now.get(key, now))


def _flat(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def forget_dead_locks(root: Path) -> None:
    """Remove DVC's path locks where no DVC process holds any of them.

    A killed DVC leaves its locks behind by process id, and DVC honours them as long as any process has that number: for
    ever, where a container starts with the same numbers again.
    """
    locks = root / ".dvc" / "tmp" / "rwlock"
    with suppress(FileNotFoundError):
        holders = {int(pid) for pid in re.findall(r'"pid": (\d+)', locks.read_text())}
        if not any(_is_dvc(pid) for pid in holders):
            locks.unlink()


def _is_dvc(pid: int) -> bool:
    try:
        return not {"dvc", "flows.compress"}.isdisjoint(Path(part).name for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
