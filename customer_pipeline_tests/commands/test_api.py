import socket

import pytest

from customer_pipeline import cli


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_said_before_anything_else(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["api", "--host", host, "--port", str(port)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"customer-pipeline: cannot listen on {host} port {port}: Address already in use")
    assert said.err.endswith("; see --host and --port\n")


def test_a_host_that_is_none_of_this_machine_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    assert cli.main(["api", "--host", "192.0.2.1"]) == 1
    assert "cannot listen on 192.0.2.1 port 8500: " in capsys.readouterr().err
