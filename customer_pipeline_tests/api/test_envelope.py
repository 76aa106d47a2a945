"""What lies around an answer whose route fails, or takes too long."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from customer_pipeline.api import envelope
from customer_pipeline.api.as_of import AsOf
from customer_pipeline.api.connection import Connection
from customer_pipeline.api.cors import Cors
from customer_pipeline.api.envelope import Envelope
from customer_pipeline.api.gate import Gate
from customer_pipeline.api.key_file import KeyFile
from customer_pipeline.api.limits import RateLimit
from customer_pipeline.api.metrics import Metrics
from customer_pipeline.api.reading import Cache
from customer_pipeline_tests.api.serving import KEYS

Answer = tuple[int, dict[bytes, bytes], bytes]
REQUEST = {"type": "http", "method": "GET", "path": "/healthz", "raw_path": b"/healthz", "query_string": b""}


@pytest.fixture
def answer(tmp_path: Path) -> Callable[[ASGIApp], Answer]:
    """Ask a route in its envelope."""
    cache = Cache(Connection("redis://127.0.0.1:9/0"), KEYS)
    around = {
        "gate": Gate(KeyFile(tmp_path / "none"), RateLimit(60)),
        "cors": Cors(()),
        "as_of": AsOf(cache, stale_after=timedelta(minutes=25)),
        "metrics": Metrics(),
    }

    def ask(route: ASGIApp) -> Answer:
        sent: list[Any] = []

        async def receive() -> Any:
            raise AssertionError("nothing of a request is read")

        async def send(message: Any) -> None:
            sent.append(message)

        wrapped: Any = Envelope
        asyncio.run(wrapped(route, **around)({**REQUEST, "headers": []}, receive, send))
        start, body = sent
        return start["status"], dict(start["headers"]), body["body"]

    return ask


def test_a_failure_tells_nothing_of_itself_and_nobody_in_the_log(
    answer: Callable[[ASGIApp], Answer], caplog: pytest.LogCaptureFixture
) -> None:
    person = "ada@example.org"

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        raise RuntimeError(person) from KeyError(person)

    with caplog.at_level(logging.INFO):
        status, headers, body = answer(fails)
    assert status == 500
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"x-frame-options"] == b"DENY"
    said = orjson.loads(body)
    assert said["type"] == "/docs/problems#internal"
    assert said["request_id"] == headers[b"x-request-id"].decode()
    assert said["request_id"] in caplog.text
    assert "RuntimeError" in caplog.text
    assert "RuntimeError" not in body.decode()
    for text in (body.decode(), caplog.text):
        assert person not in text


def test_what_takes_too_long_is_503(answer: Callable[[ASGIApp], Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        await asyncio.Event().wait()

    monkeypatch.setattr(envelope, "_TIME_LIMIT_SECONDS", 0.05)
    status, headers, body = answer(waits)
    assert status == 503
    assert headers[b"retry-after"] == b"1"
    assert orjson.loads(body)["type"] == "/docs/problems#unavailable"
