"""What goes wrong on the wire, over real HTTP: which error it is, how often it is tried, and that nothing hangs."""

import gc
import gzip
import json
import random
import socket
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from customer_pipeline.provider import transport
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import (
    ProviderError,
    ProviderMisbehaved,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from customer_pipeline.windows import Window
from customer_pipeline_tests.provider.wire import JSON, Reply, Request, Server, Sleeps, client, page
from customer_pipeline_tests.servers import free_port

WINDOW = Window(datetime(2025, 11, 23, 7, 50, tzinfo=UTC), datetime(2025, 11, 23, 8, 0, tzinfo=UTC))
RECORD = {"id": 1, "updated_at": "2025-11-23T07:51:00Z"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FAST = {"attempts": 4, "base": "1s", "cap": "3s", "budget": "100s"}


def records(opened: ProviderClient) -> list[Any]:
    return [json.loads(text) for each in opened.walk(WINDOW) for text in each.records]


def failure(opened: ProviderClient) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        records(opened)
    return raised.value


def body(*items: Any) -> bytes:
    return json.dumps({"items": items}).encode()


def test_a_refused_connection_is_unavailable_and_tried_as_often_as_the_profile_says() -> None:
    sleeps = Sleeps()
    with client(f"http://127.0.0.1:{free_port()}", sleeps=sleeps, retry=FAST) as opened:
        error = failure(opened)
    assert isinstance(error, ProviderUnavailable)
    assert error.reason == "the request failed: the connection was refused or cut"
    assert (error.request.status, error.request.attempts) == (None, 4)
    assert len(sleeps.seconds) == 3


def test_a_host_that_does_not_exist_is_unavailable() -> None:
    with client("http://provider.invalid") as opened:
        assert isinstance(failure(opened), ProviderUnavailable)


class SpeaksNoTls(Server):
    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_server_that_speaks_no_tls_is_unavailable() -> None:
    with SpeaksNoTls(page(RECORD)) as server, client(server.url.replace("http:", "https:")) as opened:
        error = failure(opened)
    assert isinstance(error, ProviderUnavailable)
    assert "the TLS handshake failed" in error.reason


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue of connections is full: connecting to it takes for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.settimeout(0)
            each.connect_ex(("127.0.0.1", port))
        yield port
        for each in waiting:
            each.close()


def test_a_connection_that_is_not_accepted_in_time_is_unavailable(full_port: int) -> None:
    started = time.monotonic()
    timeouts = {"connect": "200ms", "read": "9s", "total": "9s"}
    with client(f"http://127.0.0.1:{full_port}", timeouts=timeouts) as opened:
        error = failure(opened)
    assert isinstance(error, ProviderUnavailable)
    assert "no connection within timeouts.connect" in error.reason
    assert time.monotonic() - started < 3


def dribble(head: bytes, *, piece: bytes, pause: float) -> Iterator[bytes]:
    yield head
    while True:
        time.sleep(pause)
        yield piece


@pytest.mark.parametrize(
    ("pieces", "timeouts"),
    [
        (lambda: dribble(b"", piece=b"", pause=0.05), {"read": "150ms"}),
        (lambda: dribble(HEAD + b"\r\n{", piece=b"", pause=0.05), {"read": "150ms"}),
        (lambda: dribble(HEAD + b"Content-Length: 100000\r\n\r\n{", piece=b" ", pause=0.02), {"total": "300ms"}),
        (lambda: dribble(HEAD + b"\r\n{", piece=b" ", pause=0.02), {"total": "300ms"}),
        (
            lambda: dribble(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", piece=b"1\r\n \r\n", pause=0.02),
            {"total": "300ms"},
        ),
    ],
    ids=["no answer", "no body", "dribbled length", "dribbled until close", "dribbled chunks"],
)
def test_an_answer_that_takes_too_long_is_unavailable(pieces: Any, timeouts: dict[str, str]) -> None:
    started = time.monotonic()
    with Server(Reply(pieces=pieces())) as server:
        changes = {"connect": "1s", "read": "2s", "total": "5s", **timeouts}
        with client(server.url, timeouts=changes) as opened:
            error = failure(opened)
    assert isinstance(error, ProviderUnavailable)
    assert error.reason == "the request failed: no whole answer within the timeouts"
    assert time.monotonic() - started < 1.5


BROKEN_OFF = {
    "length": HEAD + b"Content-Length: 1000\r\n\r\n" + body(RECORD),
    "chunks": HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"ite',
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.mark.parametrize("pieces", BROKEN_OFF.values(), ids=BROKEN_OFF)
def test_an_answer_that_breaks_off_is_unavailable_and_tried_again(pieces: bytes) -> None:
    with Server([Reply(pieces=[pieces]), page(RECORD)]) as server, client(server.url, retry=FAST) as opened:
        walk = opened.walk(WINDOW)
        assert [len(each.records) for each in walk] == [1]
        assert (walk.stats.requests, walk.stats.retries) == (2, 1)
    with Server(Reply(pieces=[pieces])) as server, client(server.url) as opened:
        assert isinstance(failure(opened), ProviderUnavailable)


def test_a_connection_that_the_provider_closed_between_two_requests_is_opened_again() -> None:
    first = page(RECORD, next="x")
    close = HEAD + b"Content-Length: %d\r\n\r\n" % len(first.body)
    with Server([Reply(pieces=[close, first.body]), page()]) as server, client(server.url, retry=FAST) as opened:
        assert records(opened) == [RECORD]


def test_one_connection_serves_all_pages() -> None:
    replies = [page({**RECORD, "id": number}, next=str(number)) for number in range(5)]
    stable = {"style": "cursor", "cursor": "next", "stable": True}
    with Server([*replies, page()]) as server, client(server.url, pagination=stable) as opened:
        assert len(records(opened)) == 5
        assert (len(server.requests), server.connections) == (6, 1)


def test_redirects_are_followed_on_one_connection() -> None:
    replies = [Reply(302, {"Location": "/a"}, b"elsewhere"), Reply(307, {"Location": "/b"}), page(RECORD)]
    with Server(replies) as server, client(server.url) as opened:
        assert records(opened) == [RECORD]
        assert server.connections == 1


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_read(encoding: str, pack: Any) -> None:
    whole = body(*[RECORD] * 5000)
    reply = Reply(headers={**JSON, "Content-Encoding": encoding}, body=pack(whole))
    with Server(reply) as server, client(server.url) as opened:
        walk = opened.walk(WINDOW)
        assert sum(len(each.records) for each in walk) == 1
        assert walk.stats.bytes == len(whole)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(body(RECORD))[:-12]], ids=["no gzip", "cut short"])
def test_a_body_that_cannot_be_uncompressed_is_a_provider_error(content: bytes) -> None:
    reply = Reply(headers={**JSON, "Content-Encoding": "gzip"}, body=content)
    with Server(reply) as server, client(server.url) as opened:
        assert failure(opened).transient


@pytest.mark.parametrize("status", [200, 302, 500])
def test_a_body_of_any_size_takes_bounded_memory(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_BODY_BYTES", 1 << 20)
    bomb = gzip.compress(gzip.compress(b" " * (1 << 28), 9), 9)
    headers = {**JSON, "Content-Encoding": "gzip, gzip", "Location": "/"}
    started = time.monotonic()
    with Server(Reply(status, headers, bomb)) as server, client(server.url) as opened:
        error = failure(opened)
        assert opened._transport.traffic.bytes < 2 << 20
    assert isinstance(error, ProviderMisbehaved)
    assert "the answer is larger than 1 MiB; lower pagination.size" in error.reason
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("statuses", "kind", "tries"),
    [
        ({500, 502, 503, 504, 520, 599, 408, 425}, ProviderUnavailable, 4),
        ({429}, ProviderThrottled, 4),
        ({400, 404, 405, 406, 410, 414, 422, 451, 501, 505, 511}, ProviderRejected, 1),
        ({401, 403, 407}, ProviderRejected, 1),
        ({300, 304, 305, 399, 101, 102}, ProviderMisbehaved, 4),
    ],
)
def test_a_status_says_which_error_it_is_and_whether_it_is_tried_again(
    statuses: set[int], kind: type[ProviderError], tries: int
) -> None:
    for status in sorted(statuses):
        with Server(Reply(status, {"X-Request-Id": "req_1"}, b"<marker>")) as server:
            with client(server.url, retry=FAST) as opened:
                error = failure(opened)
            assert type(error) is kind, status
            assert len(server.requests) == tries, status
            assert (error.request.status, error.request.attempts, error.request.request_id) == (status, tries, "req_1")


def test_a_refusal_of_the_credentials_says_so() -> None:
    with Server(Reply(401)) as server, client(server.url) as opened:
        error = failure(opened)
    assert error.reason == "the provider refuses the credentials"
    assert "credentials" in error.advice


@pytest.mark.parametrize("value", ["a b", "x" * 101, "anna@example.com", ""])
def test_a_request_id_that_looks_like_none_is_not_shown(value: str) -> None:
    with Server(Reply(500, {"X-Request-Id": value})) as server, client(server.url) as opened:
        assert failure(opened).request.request_id is None


def test_backoff_is_exponential_with_full_jitter_and_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    retry = {"attempts": 8, "base": "1s", "cap": "10s", "budget": "1000s"}
    longest, shortest = Sleeps(), Sleeps()
    for share, sleeps in ((1.0, longest), (0.0, shortest)):
        monkeypatch.setattr(random, "random", lambda share=share: share)
        with Server(Reply(503)) as server, client(server.url, sleeps=sleeps, retry=retry) as opened:
            failure(opened)
    assert longest.seconds == [1, 2, 4, 8, 10, 10, 10]
    assert shortest.seconds == [0] * 7


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 7 "}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "Sun, 23 Nov 2025 08:00:30 GMT", "Date": "Sun, 23 Nov 2025 08:00:00 GMT"}, 30),
        ({"Retry-After": "Sun, 23 Nov 2025 07:00:00 GMT", "Date": "Sun, 23 Nov 2025 08:00:00 GMT"}, 0),
        ({"Retry-After": "Sunday, 23-Nov-25 08:00:30 GMT", "Date": "Sun, 23 Nov 2025 08:00:00 GMT"}, 30),
    ],
)
def test_a_wait_that_the_provider_asks_for_is_kept(
    status: int, headers: dict[str, str], wait: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    sleeps = Sleeps()
    with (
        Server([Reply(status, headers), page(RECORD)]) as server,
        client(server.url, sleeps=sleeps, retry=FAST) as opened,
    ):
        assert records(opened) == [RECORD]
    assert sleeps.seconds == [wait]


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "٣", "Sun, 99 Nov 2025", "", "9" * 5000 + "x", "()", '"'])
def test_a_retry_after_that_says_nothing_is_as_none(value: str) -> None:
    with (
        Server(Reply(429, {"Retry-After": value.encode().decode("latin-1")})) as server,
        client(server.url) as opened,
    ):
        assert failure(opened).wait is None


def test_a_wait_longer_than_the_runs_budget_is_a_failure_now_with_that_time_in_it() -> None:
    sleeps = Sleeps()
    for value in ("3600", "9" * 5000):
        with Server(Reply(429, {"Retry-After": value})) as server:
            with client(server.url, sleeps=sleeps, retry=FAST) as opened:
                error = failure(opened)
            assert isinstance(error, ProviderThrottled)
            assert error.wait is not None
            assert error.wait >= timedelta(hours=1)
            assert f"it asks to wait {error.wait.total_seconds():.0f} s" in str(error)
            assert len(server.requests) == 1
    assert sleeps.seconds == []


def test_all_walks_of_a_client_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    sleeps = Sleeps()
    retry = {"attempts": 3, "base": "4s", "cap": "4s", "budget": "10s"}
    with (
        Server([Reply(503), Reply(503), page(RECORD), Reply(503), page(RECORD)]) as server,
        client(server.url, sleeps=sleeps, retry=retry) as opened,
    ):
        assert records(opened) == [RECORD]
        error = failure(opened)
    assert sleeps.seconds == [4, 4]
    assert error.request.attempts == 1


ACCEPTED = ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", "text/json"]
REFUSED = {
    "text/html; charset=utf-8": "text/html, not JSON",
    "": "of no known media type",
    "marker@example.com": "of no known media type",
    "json": "of no known media type",
    "application/json-seq": "application/json-seq, not JSON",
}


@pytest.mark.parametrize("content_type", ACCEPTED)
def test_json_by_any_of_its_names_is_read(content_type: str) -> None:
    with (
        Server(Reply(headers={"Content-Type": content_type}, body=body(RECORD))) as server,
        client(server.url) as opened,
    ):
        assert records(opened) == [RECORD]


@pytest.mark.parametrize(("content_type", "reason"), REFUSED.items())
def test_anything_but_json_is_refused_before_it_is_read(content_type: str, reason: str) -> None:
    with (
        Server(Reply(headers={"Content-Type": content_type}, body=body(RECORD))) as server,
        client(server.url) as opened,
    ):
        error = failure(opened)
    assert isinstance(error, ProviderMisbehaved)
    assert reason in error.reason


def test_an_answer_without_a_content_type_is_refused() -> None:
    with Server(Reply(body=body(RECORD))) as server, client(server.url) as opened:
        assert "no known media type" in failure(opened).reason


def test_a_media_type_that_the_profile_names_is_read() -> None:
    endpoint = {"path": "/", "records": "items", "content_types": ["text/plain"]}
    with (
        Server(Reply(headers={"Content-Type": "text/plain"}, body=body(RECORD))) as server,
        client(server.url, list=endpoint) as opened,
    ):
        assert records(opened) == [RECORD]


NAME = '{"items": [{"id": "Zoë", "updated_at": "2025-11-23T07:51:00Z"}]}'


@pytest.mark.parametrize(
    ("charset", "content"),
    [
        ("", NAME.encode()),
        ("; charset=utf-8", b"\xef\xbb\xbf" + NAME.encode()),
        ("; charset=ISO-8859-1", NAME.encode("latin-1")),
        ('; Charset="windows-1252"; x=y', NAME.encode("cp1252")),
        ("; charset=utf-16", NAME.encode("utf-16")),
    ],
)
def test_the_declared_character_set_is_used(charset: str, content: bytes) -> None:
    reply = Reply(headers={"Content-Type": f"application/json{charset}"}, body=content)
    with Server(reply) as server, client(server.url) as opened:
        assert records(opened)[0]["id"] == "Zoë"


UNREADABLE = {
    "invalid UTF-8": ("utf-8", b'{"items": ["\xff"]}', "not utf-8 text"),
    "unknown charset": ("marker", b'{"items": []}', "unknown character set"),
    "no text encoding": ("zlib", b'{"items": []}', "not zlib text"),
    "truncated": ("utf-8", body(RECORD)[:-3], "not usable as JSON"),
    "truncated in a text": ("utf-8", body(RECORD)[:-8], "not usable as JSON"),
    "empty": ("utf-8", b"", "not usable as JSON"),
    "white space": ("utf-8", b" \n", "not usable as JSON"),
    "two documents": ("utf-8", b'{"items": []}{"items": []}', "goes on after its JSON"),
    "no list": ("utf-8", b'{"items": {}}', "there is no list at 'items' (list.records) but dict"),
    "null": ("utf-8", b'{"items": null}', "but nothing or null"),
    "missing": ("utf-8", b'{"error": "marker"}', "there is no list at 'items' (list.records) but nothing or null"),
    "an object is a list": (
        "utf-8",
        b'[{"items": []}]',
        "there is no list at 'items' (list.records) but nothing or null",
    ),
    "deep": ("utf-8", b'{"items": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "not usable as JSON (RecursionError)"),
    "huge integer": ("utf-8", b'{"items": [' + b"9" * 5000 + b"]}", "not usable as JSON (ValueError)"),
}


@pytest.mark.parametrize(("charset", "content", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_body_that_is_no_list_of_records_is_misbehaviour(charset: str, content: bytes, reason: str) -> None:
    reply = Reply(headers={"Content-Type": f"application/json; charset={charset}"}, body=content)
    with Server(reply) as server, client(server.url) as opened:
        error = failure(opened)
    assert isinstance(error, ProviderMisbehaved)
    assert reason in error.reason
    assert "marker" not in str(error)


def test_what_python_reads_beyond_json_comes_as_received() -> None:
    texts = [
        '{"id":1,"updated_at":"2025-11-23T07:51:00Z","n":NaN}',
        '{"id":2,"updated_at":"2025-11-23T07:51:00Z","n":1e400}',
        '{"id":3,"updated_at":"2025-11-23T07:51:00Z","n":123456789012345678901234567890}',
        '{"id":4,"updated_at":"2025-11-23T07:51:00Z","n":"tab\tand\nline"}',
        '{"id":5,"updated_at":"2025-11-23T07:51:00Z","n":"\\ud800"}',
    ]
    reply = Reply(headers=JSON, body=('{"items":[' + ",".join(texts) + "]}").encode())
    with Server(reply) as server, client(server.url) as opened:
        assert [text for each in opened.walk(WINDOW) for text in each.records] == texts


def test_a_netrc_file_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Server([Reply(302, {"Location": "/b"}), page(RECORD)]) as server, client(server.url) as opened:
        records(opened)
        assert not any("authorization" in request.headers for request in server.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_is_followed_with_the_credentials(status: int) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/moved":
            return page(RECORD)
        return Reply(status, {"Location": f"/moved?{request.target.partition('?')[2]}"})

    auth = {"type": "bearer", "token": "${TOKEN}"}
    with Server(answer) as server, client(server.url, {"TOKEN": "t"}, auth=auth) as opened:
        assert records(opened) == [RECORD]
        assert [request.headers["authorization"] for request in server.requests] == ["Bearer t"] * 2
        assert server.requests[0].query == server.requests[1].query


def test_a_link_is_resolved_where_a_redirect_led() -> None:
    def answer(request: Request) -> Reply:
        return {
            "/customers": Reply(302, {"Location": "/v2/customers"}),
            "/v2/customers": page(RECORD, next="more"),
            "/v2/more": page({**RECORD, "id": 2}),
        }[request.path]

    pagination = {"style": "next_link", "link": "next", "stable": True}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        assert len(records(opened)) == 2


@pytest.mark.parametrize("location", ["/customers", None, ""])
def test_redirects_that_lead_nowhere_are_misbehaviour(location: str | None) -> None:
    headers = {} if location is None else {"Location": location}
    with Server(Reply(302, headers)) as server, client(server.url) as opened:
        error = failure(opened)
        assert isinstance(error, ProviderMisbehaved)
        assert len(server.requests) == (transport.MAX_REDIRECTS + 1 if location else 1)


def test_no_content_is_refused_unless_the_profile_says_what_it_means() -> None:
    with Server(Reply(204)) as server, client(server.url) as opened:
        assert "set list.no_content_is_empty" in failure(opened).reason
    endpoint = {"path": "/", "no_content_is_empty": True}
    with Server(Reply(204)) as server, client(server.url, list=endpoint) as opened:
        assert records(opened) == []


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nContent-Type: application/json\r\n\r\n{}",
    ],
    ids=["many headers", "long header", "bad chunk", "bad status", "bad length"],
)
def test_an_answer_against_the_protocol_is_a_provider_error(head: bytes) -> None:
    with Server(Reply(pieces=[head])) as server, client(server.url) as opened:
        assert failure(opened).transient


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # urllib3 leaves that socket to the gc
def test_an_answer_with_two_lengths_is_a_provider_error() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\nContent-Type: application/json\r\n\r\n{}"
    with Server(Reply(pieces=[head])) as server, client(server.url) as opened:
        assert failure(opened).transient
    gc.collect()
