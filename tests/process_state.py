"""What a test may leave in the process for those after it: nothing.

What libraries keep and what commands set when they are called in process is put back. A working folder and variables of
the environment are a test's own (`monkeypatch.chdir`, `monkeypatch.setenv`): a test that leaves them fails.
"""

import logging
import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Set once, when a module is imported: they hold for the rest of the process.
OF_IMPORTS = {
    "MLFLOW_DISABLE_TELEMETRY",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "ORT_DISABLE_TELEMETRY",
    "TORCHINDUCTOR_CACHE_DIR",
}
OF_MLFLOW = {"MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}  # set by its calls
OF_PYTEST = {"PYTEST_CURRENT_TEST"}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Module, name, and the value from which every test starts.
GLOBALS = (
    ("mlflow.tracking.fluent", "_active_experiment_id", None),
    ("mlflow.tracking._tracking_service.utils", "_tracking_uri", None),
    ("mlflow.tracking._model_registry.utils", "_registry_uri", None),
    ("PIL.Image", "MAX_IMAGE_PIXELS", 89478485),
    ("PIL.ImageFile", "LOAD_TRUNCATED_IMAGES", False),
)
SEED = 0


@contextmanager
def put_back(threads: int) -> Iterator[None]:
    """Around a test. Raises `AssertionError` for what it should not have left, when all is as it was before."""
    _begin(threads)
    folder, environment = os.getcwd(), dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    _end_runs()
    left = _changed(environment) - OF_MLFLOW
    here = os.getcwd() if os.path.exists(".") else "a folder that is gone"
    _restore(environment)
    os.chdir(folder)
    for number, handler in handlers.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    assert not left, f"the test leaves these variables changed: {', '.join(sorted(left))}"
    assert here == folder, f"the test leaves the process in {here}"


def _begin(threads: int) -> None:
    """The same seeds, threads, limits and stores for every test, whichever ran before."""
    random.seed(SEED)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(SEED)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
        torch.manual_seed(SEED)
        steps = logging.getLogger("torch.__trace")  # of exports, which PyTorch notes where anybody listens
        steps.propagate = True  # pytest listens to every logger that passes nothing on
        steps.handlers.clear()
    for module, name, value in GLOBALS:
        if module in sys.modules:
            assert hasattr(sys.modules[module], name), f"{module} keeps {name} no longer: see tests/process_state.py"
            setattr(sys.modules[module], name, value)


def _end_runs() -> None:
    """No run of MLflow stays active: the next one would be inside it."""
    if mlflow := sys.modules.get("mlflow"):
        while mlflow.active_run():
            mlflow.end_run()


def _changed(before: dict[str, str]) -> set[str]:
    names = (before.keys() | os.environ.keys()) - OF_IMPORTS - OF_PYTEST
    return {name for name in names if before.get(name) != os.environ.get(name)}


def _restore(environment: dict[str, str]) -> None:
    for name in _changed(environment):
        if name in environment:
            os.environ[name] = environment[name]
        else:
            del os.environ[name]
