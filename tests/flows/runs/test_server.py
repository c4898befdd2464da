"""The server that a flow starts for itself."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.runs.server import free_port
from tests.flows.conftest import ROOT


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of a Prefect server of another folder."""

    class Settings(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"home": "/elsewhere/.prefect"}')

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Settings)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.long  # a server from nothing
def test_a_port_that_another_folder_was_quicker_to_take_is_left_to_it(stranger: int, tmp_path: Path):
    """Two flows that start at once may both find the port free: a run would end up in the other one's server."""
    (tmp_path / ".dvc").mkdir()
    own = free_port(0)
    program = f"""
from flows.machine.environment import running_server
from flows.runs import server
from pathlib import Path
ports = iter([{stranger}, {own}])
server.free_port = lambda: next(ports)
print(server.ensure_server(Path(".prefect").absolute()), running_server(Path(".prefect").absolute(), {own}))
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=clean | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, timeout=240, check=False)  # fmt: skip
    assert done.stdout.split() == [f"http://127.0.0.1:{own}", f"http://127.0.0.1:{own}/api"], done.stderr
