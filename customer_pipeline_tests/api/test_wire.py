"""What a request may look like on the wire: sizes, methods, times."""

import contextlib
import json
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import requests

from customer_pipeline.api.protocol import BoundedProtocol
from customer_pipeline.api.server import Server
from customer_pipeline.api.settings import ApiSettings
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.api.serving import ApiServer, live
from customer_pipeline_tests.servers import ValkeyServer, accepts_connections, wait_until


def exchanged(api: ApiServer, sent: bytes, *, timeout: float = 20.0) -> bytes:
    """Send bytes and return everything that comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=timeout) as connection:
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65_536):
                received += data
        return bytes(received)


def head(api: ApiServer, path: str = "/v1/customers/c", *lines: str) -> bytes:
    first = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {api.key}\r\n"
    return (first + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode("latin-1")


def status(answer: bytes) -> int:
    line, _, rest = answer.partition(b"\r\n")
    body = rest.partition(b"\r\n\r\n")[2]
    assert json.loads(body)["status"] == int(line.split()[1])
    return int(line.split()[1])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_nothing_can_be_done_but_reading(api: ApiServer, method: str) -> None:
    headers = {"Authorization": f"Bearer {api.key}"}
    for path in ("/v1/customers/c", "/v1/customers", "/v1/changes", "/healthz", "/docs"):
        response = requests.request(method, f"{api.url}{path}", headers=headers, timeout=10)
        assert response.status_code == 405
        assert response.headers["Allow"] == "GET"
        assert response.headers["Content-Type"] == "application/problem+json"


def test_a_body_is_refused(api: ApiServer) -> None:
    assert status(exchanged(api, head(api, "/v1/customers/c", "Content-Length: 5") + b"12345")) == 413
    assert status(exchanged(api, head(api, "/v1/customers/c", "Transfer-Encoding: chunked") + b"0\r\n\r\n")) == 413
    assert status(exchanged(api, head(api, "/v1/customers/c", "Content-Length: 0"))) == 404


def test_long_addresses_and_large_headers_are_refused(api: ApiServer) -> None:
    assert status(exchanged(api, head(api, "/v1/customers?ids=" + "a" * 8200))) == 414
    assert status(exchanged(api, head(api, "/v1/customers/c", "X-Large: " + "a" * 17_000))) == 431
    assert status(exchanged(api, head(api, "/v1/customers/c", *[f"X-{n}: {'a' * 100}" for n in range(200)]))) == 431


def test_a_head_without_end_is_refused(api: ApiServer) -> None:
    answer = exchanged(api, head(api)[:-2] + b"X-Endless: " + b"a" * 3_000_000)
    assert answer == b"" or status(answer) == 431


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_a_problem_too(api: ApiServer, sent: bytes) -> None:
    assert status(exchanged(api, sent)) == 400


def test_a_head_that_does_not_come_ends_the_connection(api: ApiServer) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as silent:
        assert exchanged(api, head(api)[:-2]) == b""
        assert silent.recv(10) == b""
    assert 9 < time.monotonic() - started < 15


def test_requests_that_come_at_once_on_one_connection_are_all_answered(api: ApiServer) -> None:
    several = head(api).replace(b"Connection: close\r\n", b"") * 3 + head(api)
    assert exchanged(api, several).count(b"HTTP/1.1 404") == 4


def test_a_request_is_answered_before_what_is_none_behind_it(api: ApiServer) -> None:
    answer = exchanged(api, head(api).replace(b"Connection: close\r\n", b"") + b"FOO /healthz HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_what_is_no_http_gets_the_headers_of_every_answer(api: ApiServer) -> None:
    lines = exchanged(api, b"FOO /healthz HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")[0].split(b"\r\n")
    names = {line.partition(b":")[0] for line in lines[1:]}
    assert names >= {b"x-request-id", b"customers-stale", b"x-content-type-options", b"content-security-policy"}


def test_many_small_requests_before_half_a_head_are_no_large_head(api: ApiServer) -> None:
    small = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        connection.sendall(small * 2500 + b"GET /healthz HTTP/1.1\r\nHost")
        received = bytearray()
        while received.count(b"HTTP/1.1 200") < 2500:
            data = connection.recv(65_536)
            assert data
            received += data
    assert b"HTTP/1.1 431" not in received


def test_the_end_waits_for_nobody(valkey: ValkeyServer, tmp_path: Path) -> None:
    with ApiServer(tmp_path, valkey.url) as api:
        headers = {"Authorization": f"Bearer {api.key}"}
        with requests.get(f"{api.url}/v1/changes", headers=headers, stream=True, timeout=20) as stream:
            lines = stream.iter_lines()
            assert next(lines) == b"retry: 3000"
            started = time.monotonic()
            process = api.process
            api.stop()
            assert time.monotonic() - started < 4
            assert process is not None
            assert (
                process.returncode == -signal.SIGTERM
            )  # uvicorn ends by the signal that it was sent, when all is done
            list(lines)  # the stream ends as it should
        assert "Traceback" not in api.log_text()
        assert "ERROR" not in api.log_text()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such limit")
def test_who_takes_no_answer_off_is_cut_off(
    valkey: ValkeyServer, publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "unread_seconds", 1.0)
    publisher.publish([live(f"c{number}", name="n" * 500) for number in range(500)])
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    key = ApiServer(tmp_path, valkey.url).key
    settings = ApiSettings(redis_url=valkey.url, keys_file=tmp_path / "api-keys.json")
    server = Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        wait_until(lambda: accepts_connections(port), what="the start")
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            request = f"GET /v1/customers?limit=500 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
            deaf.sendall(request.encode())
            wait_until(lambda: len(server.server_state.connections) == 1, what="the connection")
            wait_until(lambda: not server.server_state.connections, what="the cut", timeout=5)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
