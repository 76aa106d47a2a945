import socket
from pathlib import Path

import pytest

from customer_pipeline.dev.ports import PortTaken, Wish, accepts, listens, require_free
from customer_pipeline_tests.servers import free_port


def wish(port: int, owner: str = "the UI", flag: str = "--port") -> Wish:
    return Wish(port=port, owner=owner, flag=flag)


def test_free_ports_are_let_through_and_stay_free() -> None:
    port = free_port()

    require_free([wish(port)])
    require_free([wish(port)])


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named_with_its_owner_and_the_flag(host: str) -> None:
    with socket.create_server((host, 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PortTaken) as taken:
            require_free([wish(free_port()), wish(port, "the cache", "--cache-port")])

    assert str(taken.value) == f"port {port} for the cache is taken: choose another one with --cache-port"


def test_a_port_that_is_bound_but_not_yet_listening_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))

        with pytest.raises(PortTaken, match="is taken"):
            require_free([wish(other.getsockname()[1])])


def test_every_taken_port_is_one_line() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        pytest.raises(PortTaken) as taken,
    ):
        require_free([wish(one.getsockname()[1]), wish(two.getsockname()[1])])

    assert len(str(taken.value).splitlines()) == 2


def test_a_port_that_two_want_is_refused() -> None:
    port = free_port()

    with pytest.raises(PortTaken) as taken:
        require_free([wish(port), wish(port, "the cache", "--cache-port")])

    assert str(taken.value) == (
        f"port {port} for the cache is wanted by the UI too: choose another one with --cache-port"
    )


def test_a_port_that_the_system_forbids_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "bind", refuse)

    with pytest.raises(PortTaken, match="not allowed for this user"):
        require_free([wish(port)])


def test_what_listens_is_noticed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert accepts(port)
    assert not accepts(port)

    path = tmp_path / "socket"
    assert not listens(path)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        assert not listens(path)
        unix.listen()
        assert listens(path)
