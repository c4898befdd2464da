"""Bulk work on a real Ray: this computer alone, and a cluster of two nodes that lose a worker, then a whole node."""

import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from pyarrow import parquet

from anime_app.cli.command import main
from tests.bulk.conftest import PATIENCE, digests, ended, environment, film, photo, repeatable, stylize

pytest.importorskip("ray", reason="needs Ray: pip install 'animegan-lite[ray]'")

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
SLOW = "import time; draw = Stylizer.draw; Stylizer.draw = lambda *rest: (time.sleep(0.1), draw(*rest))[1]"


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def rows_of(target: str | Path) -> list[dict]:
    return parquet.read_table(Path(target) / ".anime/manifest.parquet").to_pylist()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@dataclass
class Node:
    raylet: psutil.Process

    def workers(self) -> list[psutil.Process]:
        """Processes that draw."""
        return [child for child in self.raylet.children() if "MapWorker" in " ".join(child.cmdline())]

    def kill(self) -> None:
        """As a cable that is pulled: everything of the node at once."""
        everything = [*self.raylet.children(recursive=True), self.raylet]
        for process in everything:
            process.suspend()
        for process in everything:
            process.kill()


@dataclass
class Cluster:
    address: str
    env: dict[str, str]
    nodes: list[Node]
    head: psutil.Process  # which knows where everything is


def start_node(*options: str, env: dict[str, str]) -> Node:
    before = set(psutil.pids())
    line = [str(Path(sys.executable).with_name("ray")), "start", "--num-cpus=1", "--disable-usage-stats", *options]
    subprocess.run([*line, "--object-store-memory=80000000"], env=env, check=True, capture_output=True)
    new = [psutil.Process(pid) for pid in psutil.pids() if pid not in before and psutil.pid_exists(pid)]
    (raylet,) = (process for process in new if process.name() == "raylet")
    return Node(raylet)


@pytest.fixture
def cluster(request) -> Iterator[Cluster]:
    """Two nodes of one core each, on this computer."""
    before = getattr(request, "param", SLOW)
    parts = str(Path("parts.txt").absolute())
    env = environment(before, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32), PARTS=parts)
    port = free_port()
    folder = f"/tmp/ray-test-{secrets.token_hex(3)}"
    nodes = []
    try:
        head = ("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}")
        nodes.append(start_node(*head, env=env))
        gcs = next(process for process in psutil.process_iter() if f"--gcs_server_port={port}" in _line(process))
        nodes.append(start_node(f"--address=127.0.0.1:{port}", env=env))
        yield Cluster(f"127.0.0.1:{port}", env, nodes, gcs)
    finally:
        for node in nodes:
            if node.raylet.is_running():
                node.kill()
        for process in psutil.process_iter():
            if folder in _line(process) or process.pid == getattr(locals().get("gcs"), "pid", None):
                process.kill()
        subprocess.run(["rm", "-rf", folder], check=False)


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_alone_it_makes_the_plain_engine_s_bytes(weights):
    for index in range(20):
        photo(f"in/{index % 3}/{index}.{('png', 'jpg', 'webp')[index % 3]}", index, (40, 60))
    photo("in/x.pgm").write_bytes(b"P5 3")
    options = ["--palette", "dusk", "--strength", "0.7", "--compare", "--max-size", "32"]
    assert main(["stylize", "in", "-o", "plain", *options]) == 1
    status, said = ended(stylize("in", "-o", "out", *options, env=environment(), weights=weights))
    assert (status, said[-1]) == (1, "20 made, 1 failed")
    assert len(said) == 2
    assert "in/x.pgm: " in said[0]
    assert digests("out") == digests("plain")
    assert sorted(row["state"] for row in rows_of("out")) == ["made"] * 20 + ["unreadable"]


def test_a_worker_dies_and_then_a_node(weights, cluster):
    """Every picture is there once, with the bytes of the plain engine."""
    for index in range(400):
        photo(f"in/{index:03}.png", index)
    assert main(["stylize", "in", "-o", "plain"]) == 0
    running = stylize("in", "-o", "out", "--address", cluster.address, env=cluster.env, weights=weights)
    wait_until(lambda: running.poll() is not None or len(digests("out")) > 20)
    wait_until(lambda: all(node.workers() for node in cluster.nodes))
    cluster.nodes[0].workers()[0].kill()
    count = len(digests("out"))
    wait_until(lambda: running.poll() is not None or len(digests("out")) > count + 40)
    assert running.poll() is None, ended(running)
    cluster.nodes[1].kill()
    status, said = ended(running)
    assert (status, said[-1]) == (0, "400 made")
    assert all(re.match(r"\[[#.]+\] \d+/400 pictures", line) for line in said[:-1]), said
    assert digests("out") == digests("plain")
    rows = rows_of("out")
    assert sorted(row["target"] for row in rows) == sorted(digests("plain"))
    assert {row["target"]: row["result_sha256"] for row in rows} == digests("plain")
    assert {row["state"] for row in rows} == {"made"}


def test_stopped_by_ctrl_c_or_killed_it_goes_on(weights):
    for index in range(120):
        photo(f"in/{index:03}.png", index)
    env = environment(SLOW)
    for kill in (signal.SIGINT, signal.SIGKILL):
        running = stylize("in", "-o", "out", env=env, weights=weights)
        count = len(digests("out"))
        wait_until(lambda: running.poll() is not None or len(digests("out")) > count + 10)  # noqa: B023
        running.send_signal(kill)
        status, said = ended(running)
        if kill == signal.SIGINT:
            assert status == 130, said
            assert re.fullmatch(r"stopped: \d+ made, \d+ left; the same command goes on from here", said[-1])
    assert len(digests("out")) < 120
    status, said = ended(stylize("in", "-o", "out", env=env, weights=weights))
    assert status == 0
    assert re.fullmatch(r"\d+ made, \d+ already there \(--force makes them again\)", said[-1])
    assert len(rows_of("out")) == len(digests("out")) == 120


POISON = (
    "import os; read = images.decode; "
    "images.decode = lambda source, *rest: os.kill(os.getpid(), 9) if 'poison' in str(source) else read(source, *rest)"
)


def test_a_picture_that_kills_whoever_draws_it_is_given_up(weights):
    for index in range(40):
        photo(f"in/{index:03}.png", index)
    photo("in/020-poison.png")
    status, said = ended(stylize("in", "-o", "out", env=environment(POISON), weights=weights))
    assert status == 1
    assert said == [f"{Path('in/020-poison.png').absolute()}: 3 processes died over it", "40 made, 1 failed"]


def test_a_cluster_that_goes_away_is_one_line(weights, cluster):
    for index in range(400):
        photo(f"in/{index:03}.png", index)
    running = stylize("in", "-o", "out", "--address", cluster.address, env=cluster.env, weights=weights)
    # more than the workers' first tables have: of these the command has heard
    wait_until(lambda: running.poll() is not None or len(digests("out")) > 150)
    cluster.head.kill()
    status, said = ended(running)
    assert status == 1
    gone = f"anime: {cluster.address}: the cluster is gone; "
    assert re.fullmatch(re.escape(gone) + r"\d+ made, \d+ left: the same command goes on from here", said[-1]), said
    assert len(said) == 1
    assert main(["stylize", "in", "-o", "plain"]) == 0
    assert digests("out").items() <= digests("plain").items()


@pytest.mark.parametrize("cluster", ["pass"], indirect=True)
def test_a_cluster_with_other_code_is_refused(weights, cluster):
    photo("in/a.png")
    other = "import importlib.metadata as m; own = m.version; m.version = lambda n: '0.1' if n == 'pillow' else own(n)"
    env = environment(other, **{key: cluster.env[key] for key in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")})
    status, said = ended(stylize("in", "-o", "out", "--address", cluster.address, env=env, weights=weights))
    assert status == 1
    assert len(said) == 1
    assert "pillow there is" in said[0]
    assert not digests("out")


FILMS = (
    "import os, time; from anime_model.runtime import film_parts, video; film_parts.LEAST, film_parts.MOST = 6, 15; "
    "video.H264[1]['x264-params'] = 'mbtree=0'; call, part = Stylizer.__call__, film_parts.draw_part; "
    "Stylizer.__call__ = lambda *rest, **how: (time.sleep(0.1), call(*rest, **how))[1]; "
    "film_parts.draw_part = lambda *rest: (open(os.environ['PARTS'], 'a').write(rest[2].name + '\\n'), part(*rest))[1]"
)


def parts_there(target: str = "out") -> set[str]:
    return {path.stem for path in Path(target, ".anime").rglob("*-*.json")}


def parts_begun() -> list[str]:
    return Path("parts.txt").read_text().split() if Path("parts.txt").exists() else []


@pytest.mark.parametrize("cluster", [FILMS], indirect=True)
def test_a_film_outlives_a_worker_and_a_node(weights, cluster, monkeypatch):
    """The film has the bytes of the plain engine's, and a picture beside it, too."""
    repeatable(monkeypatch)
    film("in/a.mp4", frames=210)
    photo("in/b.png")
    assert main(["stylize", "in", "-o", "plain"]) == 0
    running = stylize("in", "-o", "out", "--address", cluster.address, env=cluster.env, weights=weights)
    wait_until(lambda: running.poll() is not None or len(parts_there()) > 2)
    wait_until(lambda: all(node.workers() for node in cluster.nodes))
    cluster.nodes[0].workers()[0].kill()
    count = len(parts_there())
    wait_until(lambda: running.poll() is not None or len(parts_there()) > count + 4)
    assert running.poll() is None, ended(running)
    cluster.nodes[1].kill()
    status, said = ended(running)
    assert (status, said[-1]) == (0, "2 made"), said
    assert digests("out") == digests("plain")
    assert {row["target"]: row["result_sha256"] for row in rows_of("out")} == digests("plain")
    assert not parts_there()


def _draws_here(process: psutil.Process) -> bool:
    try:
        return "MapWorker" in _line(process) and process.cwd() == str(Path.cwd())
    except psutil.Error:
        return False


def test_a_film_that_was_killed_goes_on_from_its_parts(weights, monkeypatch):
    repeatable(monkeypatch)
    film("in/a.mp4", frames=140)
    assert main(["stylize", "in", "-o", "plain"]) == 0
    env = environment(FILMS, PARTS=str(Path("parts.txt").absolute()))
    for kill in (signal.SIGKILL, signal.SIGINT):
        running = stylize("in", "-o", "out", env=env, weights=weights)
        count = len(parts_there())
        wait_until(lambda: running.poll() is not None or len(parts_there()) > count + 2)  # noqa: B023
        running.send_signal(kill)
        status, said = ended(running)
        assert digests("out") == {}
    assert (status, said[-1]) == (130, "stopped: 0 made, 1 left; the same command goes on from here")
    wait_until(lambda: not any(_draws_here(process) for process in psutil.process_iter()))
    there, begun = parts_there(), len(parts_begun())
    assert 4 < len(there) < 20
    status, said = ended(stylize("in", "-o", "out", env=env, weights=weights))
    assert (status, said[-1]) == (0, "1 made")
    assert not there & set(parts_begun()[begun:])
    assert digests("out") == digests("plain")
