"""Programs as processes that need not import what takes seconds: PyTorch, Prefect, MLflow.

`python_with` makes a command that does what Python does. With `-m` and one of its programs, a process is forked from
one that has the modules loaded and has run nothing; anything else goes to the real interpreter. It is a program like
one that was started: a folder, an environment and streams of its own, signals, an exit status; and it starts its own
programs by the same command. But it is in the server's process group, not in its client's: tests of groups, and of the
start itself, start Python in full.
"""

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLIENT = """#!{python} -IS
import json, os, signal, socket, sys

servers = {servers}
if sys.argv[1:2] != ["-m"] or sys.argv[2] not in servers:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
server = socket.socket(socket.AF_UNIX)
server.connect(servers[sys.argv[2]])
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, lambda number, frame: server.send(bytes([number])))
request = dict(
    module=sys.argv[2], arguments=sys.argv[3:], folder=os.getcwd(), environment=dict(os.environ), python=sys.argv[0]
)
socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
status = int(server.recv(16) or -9)
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


def start_server(modules: Sequence[str], **environment: str) -> str:
    """The socket of a server that has `modules` imported; it lives as long as this process."""
    address = f"{tempfile.mkdtemp(prefix='fork-')}/s"  # short: a socket's path has 107 bytes
    command = [sys.executable, str(ROOT / "tests/fork_server.py"), address, *modules]
    settings = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    server = subprocess.Popen(command, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin
    assert server.stdout
    atexit.register(server.communicate)  # closes its standard input, and so ends it
    with server.stdout:
        assert server.stdout.readline() == "ready\n", "see its error above"
    return address


def python_with(folder: Path, programs: Mapping[str, str]) -> Path:
    """`python` in `folder`: programs by the module that `-m` names, each with the socket of its server."""
    folder.mkdir(parents=True, exist_ok=True)
    command = folder / "python"
    command.write_text(CLIENT.format(python=sys.executable, servers=dict(programs)))
    command.chmod(0o755)
    return command
