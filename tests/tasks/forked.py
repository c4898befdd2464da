"""Stages as processes that have PyTorch and the stages' own modules loaded: importing them takes seconds each time.

A process is forked from one that has imported all that `dvc.yaml` names and has run nothing. From there on it is what
`python -m tasks.NAME` starts: a folder, an environment and pipes of its own, an exit status, and it can be killed.
Started in full, stages run in `test_resume.py`, `test_processes.py` and, by DVC, in `test_pipeline.py`.
"""

import multiprocessing
import os
import runpy
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from multiprocessing.reduction import DupFd
from pathlib import Path
from subprocess import TimeoutExpired
from threading import Thread
from typing import TextIO

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@cache
def _context() -> multiprocessing.context.BaseContext:
    """Its server has the library's modules, and of the stages' own what they share: a stage is not imported yet."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    files = {Path(dep) for stage in stages for dep in stage["deps"] if dep.endswith(".py")}
    modules = [".".join(file.with_suffix("").parts) for file in sorted(files) if file.parent != Path("tasks")]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "lightning_fabric", *modules])
    with pytest.MonkeyPatch.context() as patched:  # of this checkout, whichever is installed
        patched.setenv("PYTHONPATH", str(ROOT))
        forkserver.ensure_running()
    return context


class _Writer:
    """The end of a pipe that goes to another process, where it is a tuple of one."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple:
        return tuple, ([DupFd(self.number)],)


class Forked:
    """What tests need of `subprocess.Popen`, with its meanings."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        pipes = [os.pipe(), os.pipe()]
        self.stdout, self.stderr = (os.fdopen(reader) for reader, _ in pipes)
        writers = [_Writer(writer) for _, writer in pipes]
        request = {"REQUEST": (name, list(arguments), str(folder), dict(environment), writers)}
        program = str(Path(__file__).with_name("forked_stage.py"))
        self._process = _context().Process(target=runpy.run_path, args=(program, request))
        self._process.start()
        for _, writer in pipes:
            os.close(writer)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it wrote since the last look; raises `TimeoutExpired`, and ends it then."""
        found: dict[TextIO, str] = {}
        readers = [Thread(target=lambda s=stream: found.update({s: s.read()})) for stream in (self.stdout, self.stderr)]
        for reader in readers:
            reader.start()
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.kill()
            raise TimeoutExpired(str(self._process.name), timeout)
        for reader in readers:
            reader.join()
        for stream in found:
            stream.close()
        return found[self.stdout], found[self.stderr]
