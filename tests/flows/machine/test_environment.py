import os
import subprocess
import sys
from pathlib import Path

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
