"""What `make mlflow` starts."""

import socket

import pytest

from flows.registry import page


def test_a_port_that_is_taken_is_one_line_and_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr("sys.argv", ["page", "--port", str(port)])
        assert page.main() == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: port {port} is taken")
    assert f"--port {port + 1}" in said
    assert said.count("\n") == 1
