import os
import shutil
import subprocess
import sys
from pathlib import Path

from flows.machine import git
from tests.flows.conftest import ROOT


def python(program: str, **environment: str) -> str:
    """What `program` prints in the current folder with nothing set but `environment`."""
    clean = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, "-c", program], env=clean, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_tools_stay_in_the_workspace_found_from_below(toy: Path, monkeypatch):
    (toy / "recipes").joinpath("deeper").mkdir()
    monkeypatch.chdir(toy / "recipes" / "deeper")
    program = "import os, flows.machine.environment; print({!r}.join(os.environ[name] for name in {}))"
    names = ["PREFECT_HOME", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "MLFLOW_TRACKING_URI"]
    for value in python(program.format("\n", names)).splitlines():
        assert str(toy) in value


def test_what_a_person_has_set_stands(toy: Path):
    program = "import os, flows.machine.environment; print(os.environ['MLFLOW_TRACKING_URI'])"
    assert python(program, MLFLOW_TRACKING_URI="http://mlflow.example") == "http://mlflow.example"


def test_python_in_a_stage_is_the_running_one(toy: Path):
    program = "import flows.machine.environment, shutil; print(shutil.which('python'))"
    assert Path(python(program)).parent == Path(sys.executable).parent


def test_any_command_runs_with_the_same_settings(toy: Path):
    program = "import os; print(os.environ['PREFECT_HOME'])"
    command = [sys.executable, "-m", "flows.machine.environment", "python", "-c", program]
    clean = {key: value for key, value in os.environ.items() if key != "PREFECT_HOME"} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(toy / ".prefect")


def test_servers_of_this_machine_are_never_asked_for_through_a_proxy(toy: Path):
    program = "import os, flows.machine.environment; print(os.environ['NO_PROXY'], os.environ['no_proxy'])"
    both = python(program, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="intranet")
    assert both == "intranet,127.0.0.1,localhost,::1 127.0.0.1,localhost,::1"


def test_a_project_without_git_is_read_all_the_same(toy: Path, tmp_path: Path):
    """Such as an unpacked archive."""
    shutil.rmtree(toy / ".git")
    program = """
import flows.machine.environment
from pathlib import Path
from flows.machine import git
from flows.pipeline.graph import load_stages
print(len(load_stages(Path.cwd())), *git.commit(Path.cwd()))
"""
    assert python(program).endswith(f"6 unknown {toy} is no git repository")
    subprocess.run(["git", "init", "-q"], check=True)
    assert python(program).startswith("6 unknown"), "with git again, DVC knows it again"
    assert not (toy / ".dvc" / "tmp" / "config" / "config").exists()


def test_git_that_is_missing_or_does_not_trust_the_folder_says_so(toy: Path, tmp_path: Path, monkeypatch):
    assert len(git.commit(toy)[0]) == 40
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho \"fatal: detected dubious ownership in repository at '$2'\" >&2\nexit 128\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    trust = f"{toy} belongs to another user: git config --global --add safe.directory '{toy}'"
    assert git.commit(toy) == ("unknown", trust)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.commit(toy) == ("unknown", "git is not installed")


def test_a_terminal_of_ascii_ends_nothing(toy: Path):
    program = "import flows.machine.environment; print('cel · 3 ± 1 风')"
    command = [sys.executable, "-c", program]
    clean = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=clean, capture_output=True, check=True)
    assert done.stdout.decode("ascii").strip() == "cel ? 3 ? 1 ?"


def test_a_stage_says_what_it_likes_whatever_the_locale(toy: Path):
    program = (
        "import flows.machine.environment, subprocess, sys; print(subprocess.run([sys.executable, '-c', "
        "'print(chr(183))'], capture_output=True, check=True).stdout)"
    )
    assert python(program, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0") == r"b'\xc2\xb7\n'"


def test_an_unchanged_run_imports_no_engine_and_leaves_at_once(toy: Path):
    """Of what stages need nothing is imported, and what the tools have made is not looked through at the end."""
    program = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count() > len(gc.get_objects())))  # after all that comes later
import flows.compress, flows.registry.champion
print([name for name in ("torch", "onnxruntime", "lightning_fabric", "matplotlib", "cv2") if name in sys.modules])
"""
    assert python(program).splitlines() == ["[]", "True"]
