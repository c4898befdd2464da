"""DVC's expanded pipeline, in process: which stages there are, what they wait for, which of them have to run."""

import logging
import re
from collections.abc import Iterable, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path

import networkx
import psutil
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo, lock_repo
from dvc.stage import Stage as DvcStage
from dvc.utils.serialize import EncodingError, YAMLFileCorruptedError
from dvc.utils.strictyaml import YAMLValidationError

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


def load_stages(root: Path, targets: Sequence[str] = ()) -> list[Stage]:
    """The pipeline of the project at `root` in an order in which it can run, with the status of every stage.

    `targets` are stages (`prune@cel`) or all stages of a kind (`prune`); what they depend on comes with them. The
    status is asked for once, in process, under DVC's lock. A stage that waits for a changed one counts as changed:
    whether it really is can be said only after the other has run. Raises `GraphError`.
    """
    forget_dead_locks(root)
    try:
        return _load(root, targets)
    except CUT_OFF as error:
        if "dvc.lock" not in str(error):
            raise GraphError(f"DVC cannot read the pipeline: {' '.join(str(error).split())}") from error
        (root / "dvc.lock").replace(root / "dvc.lock.broken")
        logging.getLogger(__name__).warning(
            "dvc.lock was cut off: kept as dvc.lock.broken, filled again from the cache"
        )
        return _load(root, targets)


def _load(root: Path, targets: Sequence[str]) -> list[Stage]:
    try:
        repo = Repo(str(root), _wait_for_lock=True)
        try:
            with lock_repo(repo), chdir(root):  # DVC names stages as seen from the current folder
                return _stages(repo.index.graph, targets)
        finally:
            repo.close()
    except NotDvcRepoError:
        raise GraphError(f"{root} is no DVC project (no .dvc folder): run this in a clone of the project") from None
    except CUT_OFF:
        raise
    except DvcException as error:
        raise GraphError(f"DVC cannot read the pipeline: {' '.join(str(error).split())}") from error


def _stages(graph: networkx.DiGraph, targets: Sequence[str]) -> list[Stage]:
    """Generation by generation, so that the same stage of every style comes side by side."""
    wanted = _with_upstream(graph, targets)
    generations = networkx.topological_generations(graph.subgraph(wanted).reverse())
    stages: dict[str, Stage] = {}
    for node in (node for nodes in generations for node in sorted(nodes, key=lambda node: node.addressing)):
        upstream = () if node.frozen else tuple(sorted(other.addressing for other in graph.successors(node)))
        before = ", ".join(name for name in upstream if stages[name].changed)
        changed = _reason(node) or (f"after {before}" if before else "")
        stages[node.addressing] = Stage(node.addressing, upstream, changed)
    return list(stages.values())


def _with_upstream(graph: networkx.DiGraph, targets: Iterable[str]) -> set[DvcStage]:
    """The stages that `targets` name and all that they need; every stage without a target. Edges point upstream."""
    wanted = set() if targets else set(graph)
    for target in targets:
        named = [node for node in graph if target in (node.addressing, node.addressing.partition("@")[0])]
        if not named:
            known = ", ".join(sorted(node.addressing for node in graph))
            raise GraphError(f"no stage {target!r} in dvc.yaml: choose from {known}")
        wanted.update(named, *(networkx.descendants(graph, node) for node in named))
    return wanted


def _reason(node: DvcStage) -> str:
    """DVC's status of one stage in words, such as `changed deps: tasks/prune.py`; empty where nothing changed."""
    status = node.status().get(node.addressing, [])
    if status and node.outs and not any(out.hash_info for out in node.outs):
        return "for the first time"
    return "; ".join(reason if isinstance(reason, str) else "; ".join(map(_words, reason.items())) for reason in status)


def _words(change: tuple[str, dict[str, str]], most: int = 3) -> str:
    kind, files = change
    rest = len(files) - most
    return f"{kind}: {', '.join(list(files)[:most])}" + (f" and {rest} more" if rest > 0 else "")


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
