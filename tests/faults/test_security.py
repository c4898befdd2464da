"""What strangers' recipes, data and model files can do, who can reach the servers, and where secrets end up."""

import ast
import json
import os
import re
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from mlflow import MlflowClient
from safetensors.numpy import save_file

from anime_model.networks.checkpoint import CheckpointError, load_generator
from anime_model.pictures.arrays import write_picture
from anime_model.recipes.reading import RecipeError
from anime_model.recipes.recipe import load_recipe, parse_recipe
from anime_model.training.preparation import prepare
from flows.pipeline.recipe_file import use_recipe
from flows.registry.versions import register
from flows.runs.server import free_port
from tests.faults import harness
from tests.flows.conftest import ROOT
from tests.flows.registry.test_versions import store  # noqa: F401  a fixture

FIRST_PARTY = [
    path
    for room in ("anime_model", "tasks", "flows", "anime_app", "benchmarks")
    for path in (ROOT / room).rglob("*.py")
]
INJECTIONS = [
    "x; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "x\ntouch pwned",
    "x | touch pwned",
    "../../pwned",
    "-c",
    "a b",
    "~",
    "",
]


# Pickles


def unpickling(tree: ast.AST) -> list[str]:
    """Calls that could load a pickle, and imports of what does nothing else."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name, options = ast.unparse(node.func), {option.arg: ast.unparse(option.value) for option in node.keywords}
            found += [name] if re.fullmatch(r"torch\.load", name) and options.get("weights_only") != "True" else []
            found += (
                [name]
                if re.fullmatch(r"(np|numpy)\.load", name) and options.get("allow_pickle", "False") != "False"
                else []
            )
            found += (
                [name]
                if re.fullmatch(
                    r"(_?pickle|cloudpickle|dill|joblib|marshal|shelve)\.\w+|(pd|pandas)\.read_pickle", name
                )
                else []
            )
        if isinstance(node, ast.ImportFrom) and node.module in (
            "pickle",
            "cloudpickle",
            "dill",
            "joblib",
            "marshal",
            "shelve",
        ):
            found.append(node.module)
    return found


@pytest.mark.parametrize("path", FIRST_PARTY, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_first_party_code_loads_a_pickle(path: Path):
    assert not unpickling(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)",
        "pickle.loads(b)",
        "from pickle import load",
    ],
)
def test_the_walk_finds_what_it_looks_for(code: str):
    assert unpickling(ast.parse(code))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # MLflow about its own types, when imported
def test_a_registered_model_unpickles_nothing_when_it_is_loaded(made: Path, store: MlflowClient):  # noqa: F811
    """Python reports every class that a pickle asks for; `Stylizer` does not even run the code that travels along."""
    program = """
import sys
asked = []
sys.addaudithook(lambda event, arguments: asked.append(arguments) if event == "pickle.find_class" else None)
import mlflow, numpy
from anime_model.runtime.stylizer import Stylizer
del asked[:]
mlflow.set_tracking_uri(sys.argv[1])
picture = numpy.zeros((8, 8, 3), numpy.uint8)
Stylizer("models:/animegan-cel/2")(picture)
mlflow.pyfunc.load_model("models:/animegan-cel/2").predict(picture[None])
print(asked)
"""
    register(made, ["cel"])
    command = [sys.executable, "-c", program, f"sqlite:///{made}/mlflow.db"]
    done = subprocess.run(command, env=harness.environment(), cwd=made, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


# Recipes


def toy_recipe(**changes: object) -> dict:
    import yaml

    from tests.flows.toy import RECIPE

    recipe = yaml.safe_load(RECIPE)
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            recipe[section][name] = value
        else:
            recipe[section] = value
    return recipe


@pytest.mark.parametrize("evil", INJECTIONS)
def test_nothing_that_a_shell_reads_gets_past_a_recipe(evil: str):
    for change in ({"styles": [evil]}, {"data__generate": [evil]}):
        with pytest.raises(RecipeError, match=r"^(styles|data\.generate): "):
            parse_recipe(toy_recipe(**change))
    if evil != "../../pwned":  # pictures may lie anywhere: they are only read
        for key in ("photos", "frames"):
            with pytest.raises(RecipeError, match=rf"^data\.{key}: "):
                parse_recipe(toy_recipe(**{f"data__{key}": evil}))


def test_a_recipe_is_data_never_an_object_or_a_bomb(tmp_path: Path):
    file = tmp_path / "evil.yaml"
    file.write_text("!!python/object/apply:os.system ['touch pwned']")
    with pytest.raises(RecipeError, match="not YAML"):
        load_recipe(file)
    file.write_text("[" * 20000)
    with pytest.raises(RecipeError, match="not YAML"):
        load_recipe(file)
    laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    file.write_text(f"a0: &a0 lol\n{laughs}\nstyles: *a11\n")
    with pytest.raises(RecipeError) as error:
        load_recipe(file)
    assert len(str(error.value)) < 2000
    with pytest.raises(RecipeError) as error:
        parse_recipe(toy_recipe(styles=[["x" * 10**6] * 100]))
    assert len(str(error.value)) < 2000
    assert not Path("pwned").exists()


@pytest.mark.slow
def test_an_evil_recipe_starts_nothing(project: Path):
    import yaml

    (project / "evil.yaml").write_text(yaml.safe_dump(toy_recipe(styles=["cel; touch pwned"])))
    assert harness.run(project, "--recipe", "evil.yaml") == 2
    assert "styles: 'cel; touch pwned' must be a folder name" in harness.said(project)
    (project / "params.yaml").write_text(yaml.safe_dump(toy_recipe(data__photos="$(touch pwned)")))
    checked = [sys.executable, "-m", "flows.pipeline.recipe_file"]  # what `make repro` does first
    done = subprocess.run(checked, cwd=project, env=harness.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "data.photos" in done.stderr
    assert not list(project.rglob("pwned"))


# Data


def pictures(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        noise = np.random.default_rng([number, *str(folder).encode()]).integers(0, 256, (80, 96, 3), np.uint8)
        write_picture(folder / f"{number}.png", noise)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for folder, count in (("photos/train", 5), ("photos/test/faces", 3), ("frames/cel", 5)):
        pictures(tmp_path / folder, count)
    pictures(tmp_path / "private", 1)
    return tmp_path


def test_a_link_out_of_the_data_brings_nothing_in(data: Path):
    (data / "photos/train/secret.png").symlink_to(data / "private/0.png")
    (data / "photos/train/twin.png").symlink_to("0.png")
    sizes = {"photo_size": 64, "test_size": 64, "frame_size": 64, "smallest": 32}
    facts = prepare(data / "photos", data / "frames/cel", data / "out", **sizes)
    assert [item["file"] for item in facts["set_aside"]] == ["photos/train/secret.png"]
    assert "a link that leads out of its folder" in facts["set_aside"][0]["reason"]
    assert not (data / "out/photos/train/secret.jpg").exists()
    assert (data / "out/photos/train/twin.jpg").exists()


@pytest.mark.parametrize("kind", ["pipe", "link out", "link to a folder", "link to a device"])
def test_data_that_would_hold_dvc_for_ever_is_refused_before_it_looks(data: Path, kind: str):
    import yaml

    recipe = toy_recipe()
    for style in set(recipe["styles"]) - {"cel"}:
        pictures(data / "frames" / style, 5)
    (data / "params.yaml").write_text(yaml.safe_dump(recipe))
    use_recipe(data)
    evil = data / "photos" / "train" / "evil.jpg"
    if kind == "pipe":
        os.mkfifo(evil)
    else:
        evil.symlink_to(
            {"link out": "../../private/0.png", "link to a folder": "/", "link to a device": "/dev/zero"}[kind]
        )
    with pytest.raises(RecipeError, match=r"^data\.photos: .*evil\.jpg is a "):
        use_recipe(data)


# Model files


def checkpoint(path: Path, header: object) -> Path:
    text = header if isinstance(header, str) else json.dumps(header)
    save_file({"x": np.zeros(1, np.float32)}, path, {"generator": text})
    return path


def generator(**layer: object) -> dict:
    layers = {"a0": {"kind": "standard", "width": 8, **layer}}
    return {"format": "animegan-generator/1", "architecture": {"layers": layers}, "notes": {}}


@pytest.mark.parametrize(
    "header",
    [
        "[" * 100_000,
        "[]",
        "7",
        "{}",
        {"format": "animegan-generator/1"},
        generator(width=10**12),
        generator(width=65536, kernel=65536),
        generator(kernel=0),
        generator(stride=-1),
        generator(width="8"),
        generator(width=True),
        generator(hidden=-5),
        generator(kind="os.system"),
        {**generator(), "architecture": {"layers": {"": {"kind": "standard", "width": 8}}}},
        {**generator(), "architecture": {"layers": []}},
    ],
    ids=lambda header: str(header)[:60],
)
def test_metadata_that_lies_costs_one_line_and_no_memory(tmp_path: Path, header: object):
    file = checkpoint(tmp_path / "evil.safetensors", header)
    before = psutil.Process().memory_info().rss
    with pytest.raises(CheckpointError, match=re.escape(str(file))):
        load_generator(file)
    assert psutil.Process().memory_info().rss - before < 200e6


def test_a_header_larger_than_its_file_is_one_line(tmp_path: Path):
    file = tmp_path / "evil.safetensors"
    for length in (2**63, 10**9, 100):
        file.write_bytes(struct.pack("<Q", length) + b"{}")
        with pytest.raises(CheckpointError, match=re.escape(str(file))):
            load_generator(file)


# Servers


def listening(process: psutil.Process) -> set[str]:
    found = set()
    for one in [process, *process.children(recursive=True)]:
        try:
            found |= {
                connection.laddr.ip for connection in one.net_connections("inet") if connection.status == "LISTEN"
            }
        except psutil.Error:
            continue
    return found


def recipe_of(target: str) -> list[str]:
    """The last command of a target in the Makefile."""
    lines = (ROOT / "Makefile").read_text().partition(f"\n{target}:")[2].splitlines()[1:]
    commands = [
        line.lstrip("\t@") for line in lines[: next(n for n, line in enumerate(lines) if not line.startswith("\t"))]
    ]
    return shlex.split(commands[-1])


@pytest.mark.long  # two servers from nothing
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", ["prefect", "mlflow"])
def test_what_make_serves_is_reached_from_this_machine_only(project: Path, target: str):
    port = free_port(0)
    command = [sys.executable if word == "python" else word for word in recipe_of(target)]
    server = harness.start(project, "--port", str(port), command=command)
    harness.wait_for(lambda: server.poll() is not None or listening(psutil.Process(server.pid)), 600)
    assert server.poll() is None, "the server has ended"
    assert listening(psutil.Process(server.pid)) <= {"127.0.0.1", "::1"}
    for process in harness.processes(project):
        harness.kill(process)
    server.wait()


# Secrets

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENG",
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEJr",
    "PREFECT_API_KEY": "pnu_qz81hf72ks0",
    "MLFLOW_TRACKING_PASSWORD": "tracking-hunter2",
    "DVC_REMOTE": "https://robot:p%40ss-hunter3@dvc.example/data",
}
WORDS = [
    *(value for name, value in SECRETS.items() if name != "DVC_REMOTE"),
    "p%40ss-hunter3",
    "p@ss-hunter3",
    "git-hunter4",
]


@pytest.mark.faults  # a whole run with a server of its own; what hides secrets is tested below
@pytest.mark.timeout(900)
def test_no_secret_reaches_a_log_a_tag_a_database_or_a_report(project: Path):
    """One stage prints its whole environment and fails with a secret in its words; the other style is registered."""
    remote = ["git", "remote", "add", "origin", "https://robot:git-hunter4@git.example/project.git"]
    subprocess.run(remote, cwd=project, check=True)
    flow = harness.start(project, TOY="leak train_teacher@ink", **SECRETS)
    harness.wait_for(lambda: "while this runs" in harness.said(project))
    sockets = set.union(*(listening(process) for process in harness.processes(project)))
    assert sockets == {"127.0.0.1"}, "the flow's own server"
    assert flow.wait(harness.PATIENCE) == 1
    assert "train_teacher@ink: ValueError: cannot sign with ***" in harness.said(project)
    assert "registered animegan-cel 1" in harness.said(project)
    assert "PATH" in (project / "scratch/logs/train_teacher@ink.log").read_text(), "it did print its environment"
    found = [
        (str(path), word)
        for path in project.rglob("*")
        if path.is_file() and path != project / ".git" / "config"
        for word in WORDS
        if word.encode() in path.read_bytes()
    ]
    assert not found


@pytest.mark.slow
def test_an_address_with_a_password_is_told_without_it(evaluated: Path, monkeypatch: pytest.MonkeyPatch):
    import mlflow

    from flows.registry.versions import RegistryError, register

    address = "http://robot:p%40ss-hunter3@127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri(address)
    try:
        with pytest.raises(RegistryError, match=r"^MLflow at http://\*\*\*@127\.0\.0\.1:9 does not answer$"):
            register(evaluated, ["cel"])
    finally:
        mlflow.set_tracking_uri(None)


def test_redaction_knows_secrets_by_name_and_by_place(monkeypatch: pytest.MonkeyPatch):
    import logging

    from flows.machine.redact import redact

    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    text = redact(" ".join([*SECRETS.values(), "p@ss-hunter3", "s3://bucket/path", "user@host"]))
    assert not [word for word in WORDS if word in text]
    assert text.endswith("s3://bucket/path user@host")
    record = logging.getLogRecordFactory()("n", logging.INFO, "f", 1, "key %s", (SECRETS["PREFECT_API_KEY"],), None)
    assert record.getMessage() == "key ***"
