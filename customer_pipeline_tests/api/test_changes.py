"""The stream of changes, heard through a real server while customers are published."""

import asyncio
import contextlib
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.types import Message

from customer_pipeline import cli
from customer_pipeline.api import connection as api_connection
from customer_pipeline.api.changes import Changes
from customer_pipeline.api.credentials import Key, Scope, make
from customer_pipeline.api.gate import KEY, Gate
from customer_pipeline.api.metrics import Metrics
from customer_pipeline.api.streams import Streams
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.timestamps import now
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor
from customer_pipeline_tests.api.listening import Client, bring_in_step, change, entries, states
from customer_pipeline_tests.api.serving import KEYS, ApiServer
from customer_pipeline_tests.servers import ValkeyServer, free_port, wait_until


@pytest.fixture
def api(api_server: ApiServer, connection: Connection) -> ApiServer:
    """The API, in step with a stream of one entry."""
    bring_in_step(api_server, connection)
    return api_server


def names(client: Client) -> list[str]:
    return [event.customer for event in client.events if event.kind in {"changed", "deleted"}]


def has_heard(client: Client, name: str) -> bool:
    return name in names(client)


def streams(api: ApiServer) -> float:
    (line,) = [line for line in api.get("/metrics").text.splitlines() if line.startswith("customers_api_streams ")]
    return float(line.split()[1])


def test_everybody_hears_every_change_once_in_order(
    api: ApiServer, publisher: Publisher, connection: Connection
) -> None:
    with Client(api) as first, Client(api) as second:
        first.wait_for(1)
        second.wait_for(1)
        assert first.response.headers["Content-Type"] == "text/event-stream"
        assert first.response.headers["Cache-Control"] == "private, no-store"
        published = states([f"c{number}" for number in range(1200)]) + states(["c3"], "deleted")
        publisher.publish(published)
        publisher.publish(published)  # nothing of it is news
        for client in (first, second):
            events = client.wait_for(1202)
            assert events[0].kind == "ready"
            assert [(event.customer, event.version) for event in events[1:]] == [(s.id, s.version) for s in published]
            assert [event.kind for event in events[1:]] == ["changed"] * 1200 + ["deleted"]
            assert events[1:] == entries(connection)[1:]


def test_many_hear_the_same_also_who_comes_meanwhile(api: ApiServer, publisher: Publisher) -> None:
    published = states([f"c{number}" for number in range(60)])
    with ExitStack() as stack:
        clients = []
        for number, state in enumerate(published):
            if number < 35:
                clients.append(stack.enter_context(Client(api)))
                clients[-1].wait_for(1)
            publisher.publish([state])
        for number, client in enumerate(clients):
            wait_until(partial(has_heard, client, "c59"), what="the last change")
            heard = names(client)  # perhaps with some that were published as it came
            assert len(heard) == len(set(heard))
            assert heard[number - 60 :] == [state.id for state in published[number:]]


def test_who_was_away_hears_what_was_missed_and_goes_on(
    api: ApiServer, publisher: Publisher, connection: Connection
) -> None:
    with Client(api) as client:
        client.wait_for(1)
        change(connection, "before")
        last = client.wait_for(2)[-1].id
    missed = [f"m{number}" for number in range(1100)]
    publisher.publish(states(missed))
    with Client(api, after=last) as client:
        client.wait_for(1100)
        change(connection, "after")
        client.wait_for(1101)
        assert names(client) == [*missed, "after"]


def test_who_heard_nothing_yet_can_resume_from_the_greeting(api: ApiServer, connection: Connection) -> None:
    change(connection, "old")
    with Client(api) as client:
        (ready,) = client.wait_for(1)
    change(connection, "new")
    with Client(api, after=ready.id) as client:
        client.wait_for(1)
        assert names(client) == ["new"]


def test_who_was_away_too_long_is_told_to_load_anew_and_misses_nothing_after_it(
    api: ApiServer, connection: Connection
) -> None:
    old = change(connection, "old")
    Publisher(connection, changes_kept=5).publish(states([f"c{number}" for number in range(500)]))
    with Client(api, after=old) as client:
        reset = client.wait_for(1)[0]
        assert reset.kind == "reset"
        newest = change(connection, "next")
        wait_until(lambda: client.events[-1].id == newest, what="the next change")
        # The API may have been some entries behind when it said so; or has lost its own place, and says so again.
        last = max(number for number, event in enumerate(client.events) if event.kind == "reset")
        place = position(client.events[last].id)
        assert client.events[last + 1 :] == [each for each in entries(connection) if position(each.id) > place]


def position(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("-"))


@pytest.mark.parametrize("position", ["99999999999999-0", "1-1", "0-0"])
def test_a_position_that_the_stream_does_not_know_is_told_to_load_anew(
    api: ApiServer, connection: Connection, position: str
) -> None:
    change(connection, "c")
    with Client(api, after=position) as client:
        assert client.wait_for(1)[0].kind == "reset"


def test_a_stream_that_was_lost_while_somebody_listens_is_a_reset(api: ApiServer, connection: Connection) -> None:
    change(connection, "old")
    with Client(api) as client:
        client.wait_for(1)
        connection.delete(KEYS.changes)
        change(connection, "new")
        wait_until(lambda: any(event.kind == "reset" for event in client.events), what="the reset")
        newest = change(connection, "newer")
        wait_until(lambda: client.events[-1].id == newest, what="the next change")
        assert client.events[-1].kind == "changed"


def test_before_the_first_change_one_can_listen_too(
    valkey: ValkeyServer, connection: Connection, tmp_path: Path
) -> None:
    with ApiServer(tmp_path, valkey.url) as api, Client(api) as client:
        assert client.wait_for(1)[0].id == "0-0"
        with Client(api, after="0-0") as second:
            change(connection, "first")
            for each in (client, second):
                wait_until(lambda each=each: names(each) == ["first"], what="the first change")  # type: ignore[misc]


@pytest.mark.parametrize("text", ["x", "1", "1-", "-1", "1-1-1", "01-1", f"{2**64}-0", "$", "ü"])
def test_an_id_that_is_none_is_400(api: ApiServer, text: str) -> None:
    response = api.get("/v1/changes", headers={"Last-Event-ID": text.encode("latin-1").decode("latin-1")})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "Last-Event-ID"


def test_who_leaves_is_forgotten(api: ApiServer) -> None:
    wait_until(lambda: streams(api) == 0, what="the end of other streams")
    with Client(api) as client:
        client.wait_for(1)
        assert streams(api) == 1
    wait_until(lambda: streams(api) == 0, what="the end of the stream")


def test_a_key_has_only_so_many_streams(valkey: ValkeyServer, tmp_path: Path) -> None:
    with ApiServer(tmp_path, valkey.url, API_STREAMS="2") as api, Client(api) as first, Client(api) as second:
        first.wait_for(1)
        second.wait_for(1)
        response = api.get("/v1/changes")
        assert (response.status_code, response.headers["Retry-After"]) == (429, "15")


def test_silence_is_filled_and_a_revoked_key_hears_no_more(api: ApiServer, connection: Connection) -> None:
    key = api.add_key(Scope.CHANGES, name="listener")
    wait_until(lambda: api.get("/v1/freshness", key=key).status_code == 200, what="the reading of the key")
    with Client(api, key=key) as client:
        client.wait_for(1)
        wait_until(lambda: client.comments == 1, what="a comment", timeout=20)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("API_KEYS_FILE", str(api.keys_file))
            assert cli.main(["api-key", "revoke", "listener"]) == 0
        time.sleep(1.1)  # until the file is looked at again
        change(connection, "c")
        wait_until(lambda: client.has_ended, what="the end of the stream", timeout=20)


class Admitting:
    """A gate that lets everybody stay."""

    def still_admits(self, _: Key) -> bool:
        return True


def test_who_catches_up_while_the_stream_is_cut_is_told_to_load_anew(
    valkey: ValkeyServer, publisher: Publisher
) -> None:
    publisher.publish(states([f"c{number}" for number in range(1600)]))

    async def caught_up(first: str) -> bytes:
        shared, blocking = api_connection.Connection(valkey.url), api_connection.Connection(valkey.url, blocks=True)
        key, _ = make("web", scopes=frozenset({Scope.CHANGES}), at=now(), expires_at=None)
        streams = Streams(
            Changes(stream=KEYS.changes, connection=shared, blocking=blocking),
            gate=cast("Gate", Admitting()),
            metrics=Metrics(),
            most=1,
        )
        sent: list[bytes] = []

        async def send(message: Message) -> None:
            sent.append(message.get("body", b""))
            if sent[-1].startswith(b"id:"):
                with connect(valkey.url) as connection:
                    connection.xtrim(KEYS.changes, maxlen=100, approximate=False)

        async def receive() -> Message:
            await asyncio.sleep(2)
            return {"type": "http.disconnect"}

        scope = {"headers": [(b"last-event-id", first.encode())], KEY: key}
        await (await streams.open(scope))(scope, receive, send)
        await shared.close()
        await blocking.close()
        return b"".join(sent)

    with connect(valkey.url) as connection:
        oldest: Any = connection.xrange(KEYS.changes, count=1)
        newest: Any = connection.xrevrange(KEYS.changes, count=1)
    heard = asyncio.run(caught_up(oldest[0][0].decode()))
    assert heard.count(b"event: changed") == 500
    assert heard.endswith(b"id: %s\nevent: reset\ndata: {}\n\n" % newest[0][0])


class Impostor(socketserver.StreamRequestHandler):
    """Answers whatever comes with a number, which is no answer to most commands."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while self.connection.recv(65_536):
                self.connection.sendall(b":1\r\n")


class Impostors(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def impostor(port: int) -> Iterator[None]:
    with Impostors(("127.0.0.1", port), Impostor) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_something_that_is_no_cache_is_outlived(tmp_path: Path) -> None:
    port = free_port()
    with ApiServer(tmp_path / "api", f"redis://127.0.0.1:{port}/0") as api:
        with impostor(port):
            wait_until(lambda: api.get("/v1/customers").status_code == 500, what="an answer that is none")
            wait_until(lambda: api.log_text().count("cannot be") >= 2, what="what both readers say")
        with ValkeyServer(tmp_path / "valkey", port=port) as valkey, connect(valkey.url) as connection:
            end = floor(now())
            Coverage(connection, keys=KEYS).extend([Window(end - WINDOW_LENGTH, end)])
            wait_until(lambda: "Customers-As-Of" in api.get("/healthz").headers, what="the freshness")
            with Client(api) as client:
                client.wait_for(1)
                change(connection, "c")
                client.wait_for(2)
            assert names(client) == ["c"]


def test_a_cache_that_is_away_for_a_while_is_heard_again(tmp_path: Path) -> None:
    with (
        ValkeyServer(tmp_path / "valkey", "--appendonly", "yes", "--appendfsync", "always") as valkey,
        ApiServer(tmp_path / "api", valkey.url) as api,
        Client(api) as client,
    ):
        client.wait_for(1)
        with connect(valkey.url) as connection:
            change(connection, "before")
        client.wait_for(2)
        valkey.kill()
        valkey.start()
        with connect(valkey.url) as connection:
            change(connection, "after")
        client.wait_for(3)
        assert names(client) == ["before", "after"]
