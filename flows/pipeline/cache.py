"""What DVC has made or restored, against the hashes that it noted: a damaged file is found before anything reads it.

DVC trusts an object of its cache that is read-only, as all of them are, without looking inside: it would put a damaged
one into the workspace and never know. `python -m flows.pipeline.cache` looks at the whole cache.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

from flows.machine.environment import WORKSPACE
from flows.machine.hashes import file_md5


def remove_damaged(root: Path, name: str) -> list[str]:
    """Hash the outputs of stage `name` and their objects in the cache; remove those that differ from `dvc.lock`.

    Returns their names, empty where all is well. DVC makes what is gone again. Costs a read of the outputs.
    """
    cache = object_folder(root)
    wanted = [pair for out in _outputs(root, name) for pair in _files(cache, root / out["path"], out.get("md5", ""))]
    damaged = dict.fromkeys(path for path, md5 in wanted if path.is_file() and file_md5(path) != md5)
    for path in damaged:
        path.unlink(missing_ok=True)  # equal files are one object, which may be one file with both
    return [str(path.relative_to(root)) if path.is_relative_to(root) else str(path) for path in damaged]


def object_folder(root: Path) -> Path:
    """Where DVC keeps objects, as `<first two digits of the md5>/<the rest>`."""
    repo = Repo(str(root))
    try:
        return Path(repo.cache.local.path)
    finally:
        repo.close()


def damaged_objects(cache: Path) -> Iterator[Path]:
    """Objects whose content is not what their name says."""
    for path in sorted(cache.glob("[0-9a-f][0-9a-f]/*")):
        md5 = path.parent.name + path.name.removesuffix(".dir")
        if len(md5) == 32 and path.is_file() and file_md5(path) != md5:
            yield path


def _outputs(root: Path, name: str) -> list[dict]:
    lock = yaml.load((root / "dvc.lock").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return lock["stages"][name].get("outs", [])


def _files(cache: Path, path: Path, md5: str) -> Iterator[tuple[Path, str]]:
    """Every file of an output, in the workspace and in the cache, with the hash that it must have."""
    held = cache / md5[:2] / md5[2:]
    if not md5.endswith(".dir"):
        yield from ((path, md5), (held, md5)) if md5 else ()
        return
    yield held, md5.removesuffix(".dir")
    if held.is_file() and file_md5(held) == md5.removesuffix(".dir"):
        for entry in json.loads(held.read_text()):
            yield path / entry["relpath"], entry["md5"]
            yield cache / entry["md5"][:2] / entry["md5"][2:], entry["md5"]


def main() -> int:
    """0 where all objects are sound or the damaged ones gone; 1 where the cache cannot be read or written."""
    try:
        damaged = list(damaged_objects(object_folder(WORKSPACE)))
        for path in damaged:
            path.unlink()
            print(f"damaged, removed: {path}")
    except (OSError, DvcException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"{len(damaged)} damaged: made again when needed" if damaged else "every object is sound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
