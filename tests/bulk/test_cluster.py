"""What stands around Ray, tried without it."""

import signal
import socket
import subprocess
import sys
import time

import pytest

from anime_app.bulk import cluster
from anime_app.bulk.cluster import ClusterError, Lost, checked
from tests.bulk.conftest import ROOT


@pytest.fixture
def head(monkeypatch) -> socket.socket:
    """Somebody who listens."""
    monkeypatch.setattr(cluster, "LOOK", 0.02)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield listening


def address(head: socket.socket) -> str:
    return f"127.0.0.1:{head.getsockname()[1]}"


def test_an_address_is_one_where_somebody_answers(head):
    assert checked(address(head)) == address(head)
    for wrong in ("127.0.0.1", "127.0.0.1:x", "127.0.0.1:0", ":6379", "ray://127.0.0.1:6379", "host:99999"):
        with pytest.raises(ClusterError, match="give HOST:PORT"):
            checked(wrong)
    gone = address(head)
    head.close()
    with pytest.raises(ClusterError, match="nobody answers"):
        checked(gone)


def test_a_head_that_goes_away_ends_the_wait(head):
    before, gone = signal.getsignal(signal.SIGUSR1), address(head)

    def goes() -> None:
        head.close()
        time.sleep(60)

    with pytest.raises(Lost, match=f"{gone}: the cluster is gone"), cluster._watched(gone):
        goes()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_head_that_stays_disturbs_nobody(head):
    with cluster._watched(address(head)):
        time.sleep(0.3)


def test_faults_of_others_are_one_line():
    def fails() -> None:
        try:
            raise ImportError("no such\npackage")
        except ImportError as error:
            raise RuntimeError("a long story") from error

    with pytest.raises(ClusterError, match=r"^Ray: Ray failed \(no such package\)$") as caught, cluster._faults("Ray"):
        fails()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lost", [False, True])
def test_only_own_lines_are_heard(lost):
    """Whatever writes to the numbers of the streams, as a library in another language does."""
    program = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from anime_app.bulk.cluster import Lost, only_own_lines
from anime_app.terminal import say
try:
    with only_own_lines():
        os.write(1, b"noise")
        os.write(2, b"noise")
        print("noise")
        say("own")
        if {lost}:
            raise Lost("gone")
except Lost as error:
    say(str(error))
os.write(2, b"later\\n")
print("out")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines() == (["own", "gone"] if lost else ["own", "later"])
    assert ran.stdout == "out\n"
