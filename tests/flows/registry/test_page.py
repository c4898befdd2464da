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


@pytest.mark.parametrize("content", [b"", b"no database"])
def test_a_file_that_is_no_store_is_one_line(tmp_path, monkeypatch, capsys, content: bytes):
    (tmp_path / "mlflow.db").write_bytes(content)
    (tmp_path / "mlruns").mkdir()
    monkeypatch.setattr("sys.argv", ["page", "--port", str(free_port())])
    monkeypatch.setattr("mlflow.get_tracking_uri", lambda: f"sqlite:///{tmp_path}/mlflow.db")
    assert page.main() == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: MLflow at sqlite:///{tmp_path}/mlflow.db ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("port", ["70000", "-1", "0", "http"])
def test_a_port_that_is_none_is_a_wrong_command(monkeypatch, capsys, port: str):
    monkeypatch.setattr("sys.argv", ["page", f"--port={port}"])
    with pytest.raises(SystemExit):
        page.main()
    assert f"{port!r} is no whole number from 1 to 65,535" in capsys.readouterr().err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
