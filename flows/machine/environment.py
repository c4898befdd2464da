"""What Prefect, DVC and MLflow read from the environment, set before any of them is imported.

Everything that the tools write stays inside the workspace, none of them reports home, and what a person has set
stands: only what is missing is filled in. Importing this module does it, before the module that imports it goes on to
import the tools. `python -m flows.machine.environment COMMAND ...` runs any command of the tools with these settings.
"""

import atexit
import gc
import io
import json
import os
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

from flows.machine.git import has_repository

PREFECT_PORT = 4200  # where `make prefect` serves
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FOUND = "ANIME_PREFECT_FOUND"  # a server that nobody named, found at that port


def find_workspace(start: Path) -> Path:
    """The folder with `.dvc`, at `start` or above; `start` itself where there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / ".dvc").is_dir()), start)


def settings(workspace: Path) -> dict[str, str]:
    """The variables that keep the tools quiet and inside `workspace`."""
    line = "%(asctime)s  "
    return {
        # Prefect: its database, its profiles and its results; otherwise ~/.prefect.
        "PREFECT_HOME": str(workspace / ".prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",  # the client's side of the same; other tools honour it too
        # The temporary server takes 4 to 10 s to start, more on a busy machine; Prefect gives up after 20 by default.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        # Lines for people: the time, the stage, what happened.
        "PREFECT_LOGGING_FORMATTERS_STANDARD_FORMAT": f"{line}%(message)s",
        "PREFECT_LOGGING_FORMATTERS_STANDARD_FLOW_RUN_FMT": f"{line}%(message)s",
        "PREFECT_LOGGING_FORMATTERS_STANDARD_TASK_RUN_FMT": f"{line}%(task_run_name)-20s %(message)s",
        # DVC: no usage reports; its index and its own settings beside the cache instead of /var/tmp and ~/.config.
        "DVC_NO_ANALYTICS": "1",
        "DVC_STUDIO_OFFLINE": "1",
        "DVC_SITE_CACHE_DIR": str(workspace / ".dvc" / "tmp" / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(workspace / ".dvc" / "tmp" / "config"),
        "MPLCONFIGDIR": str(workspace / "scratch" / "matplotlib"),  # a font list, for packages that import it
        "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime reports every model that is opened, since 1.29
        # MLflow: one file in the workspace; any server by MLFLOW_TRACKING_URI. A server that is away is known within
        # seconds (the default is seven attempts of two minutes), and retries are the flow's affair.
        "MLFLOW_TRACKING_URI": f"sqlite:///{workspace / 'mlflow.db'}",
        "MLFLOW_EXPERIMENT_NAME": "animegan-lite",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight more processes that pickle, for what nobody uses here
        "MLFLOW_LOGGING_LEVEL": "WARNING",  # not how it makes its tables
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # a call whose answer got lost may have made a version: look, then ask
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        # glibc gives large blocks back to the system and asks for them again at every step, and the system fills each
        # with zeros first: keeping them makes training on a CPU about twice as fast.
        "MALLOC_MMAP_THRESHOLD_": str(2**34),
        "MALLOC_TRIM_THRESHOLD_": str(2**34),
        "MALLOC_TOP_PAD_": str(2**28),
        "PYTHONIOENCODING": "utf-8:backslashreplace",  # stages speak into a pipe, whatever the terminal can show
        "GIT_PYTHON_REFRESH": "quiet",  # MLflow's git library warns where there is no git
    }


def apply_settings(workspace: Path) -> None:
    """Fill in what is missing, and put the running interpreter first, so that `python` in `dvc.yaml` is this one."""
    for name, value in settings(workspace).items():
        os.environ.setdefault(name, value)
    for stream in (sys.stdout, sys.stderr):  # a terminal of ASCII shows a dot as ?, and ends no run
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    folder = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").split(os.pathsep)[0] != folder:
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])
    trust_loopback()
    work_without_git(workspace)
    atexit.register(gc.freeze)  # or Python looks through 400,000 objects of the tools before it ends, for a second
    if "PREFECT_API_URL" not in os.environ and (url := running_server(Path(os.environ["PREFECT_HOME"]))):
        os.environ |= {"PREFECT_API_URL": url, FOUND: url}


def trust_loopback() -> None:
    """This machine's own servers are never asked for through a proxy, which knows another 127.0.0.1."""
    for name in ("NO_PROXY", "no_proxy"):
        named = [part for part in os.environ.get(name, "").split(",") if part]
        os.environ[name] = ",".join(dict.fromkeys([*named, *LOOPBACK]))


def work_without_git(workspace: Path) -> None:
    """DVC refuses a folder without git, such as an unpacked archive of the project, unless it is told so."""
    folder, config = workspace / ".dvc" / "tmp" / "config", workspace / ".dvc" / "tmp" / "config" / "config"
    if os.environ["DVC_GLOBAL_CONFIG_DIR"] != str(folder) or not (workspace / ".dvc").is_dir():
        return
    with suppress(OSError):  # a folder that cannot be written is said later, with its name
        if has_repository(workspace):
            config.unlink(missing_ok=True)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            config.write_text("[core]\n    no_scm = true\n")


def found_server() -> str | None:
    """The address in PREFECT_API_URL where `apply_settings` put it there, and not a person."""
    url = os.environ.get(FOUND)
    return url if url == os.environ.get("PREFECT_API_URL") else None


def running_server(prefect_home: Path, port: int = PREFECT_PORT) -> str | None:
    """The address of the server at `port` if it works on the same database, as that of `make prefect` does: its pages
    then show the run live.
    """
    url = f"http://127.0.0.1:{port}/api"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError, ValueError), direct.open(f"{url}/admin/settings", timeout=1) as answer:
        if json.load(answer).get("home") == str(prefect_home):
            return url
    return None


WORKSPACE = find_workspace(Path.cwd())
apply_settings(WORKSPACE)

if __name__ == "__main__":  # python -m flows.machine.environment prefect server start
    os.execvp(sys.argv[1], sys.argv[1:])
