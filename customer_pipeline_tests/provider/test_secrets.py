"""Neither a secret nor a customer's value shows in an error, a log record or a `repr`, whatever goes wrong."""

import base64
import gzip
import json
import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest

from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderError
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline.windows import Window
from customer_pipeline_tests.provider.wire import (
    JSON,
    Reply,
    Request,
    Server,
    Sleeps,
    all_records_of_all_loggers,
    page,
    profile,
)
from customer_pipeline_tests.servers import free_port

WINDOW = Window(datetime(2025, 11, 23, 7, 50, tzinfo=UTC), datetime(2025, 11, 23, 8, 0, tzinfo=UTC))
CUSTOMER = "Hildegard.Marker"
RECORD = {"id": CUSTOMER, "updated_at": "2025-11-23T07:51:00Z"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

AUTHS = {
    "bearer": {"auth": {"type": "bearer", "token": "${SECRET}"}},
    "key in a header": {"auth": {"type": "api_key", "name": "X-Key", "value": "${SECRET}"}},
    "key in the query": {"auth": {"type": "api_key", "name": "key", "in": "query", "value": "${SECRET}"}},
    "basic": {"auth": {"type": "basic", "username": "someone", "password": "${SECRET}"}},
    "extra header": {"headers": {"X-Tenant": "tenant ${SECRET}"}},
}
SECRETS = ["sikrit7531", "sik/rit?75&31=%20#+:@ "[:-1]]

FAILURES: dict[str, Callable[[Request], Reply]] = {
    **{f"status {status}": lambda _, status=status: Reply(status, JSON, CUSTOMER.encode())  # type: ignore[misc]
       for status in (204, 304, 400, 401, 404, 500, 503)},
    "throttled": lambda _: Reply(429, {"Retry-After": "9999"}, CUSTOMER.encode()),
    "HTML": lambda _: Reply(200, {"Content-Type": "text/html"}, CUSTOMER.encode()),
    "odd content type": lambda _: Reply(200, {"Content-Type": CUSTOMER}, b"{}"),
    "odd charset": lambda _: Reply(200, {"Content-Type": f"application/json; charset={CUSTOMER}"}, b"{}"),
    "no UTF-8": lambda _: Reply(200, JSON, CUSTOMER.encode() + b"\xff"),
    "truncated JSON": lambda _: Reply(200, JSON, json.dumps({"items": [RECORD]}).encode()[:-1]),
    "deep JSON": lambda _: Reply(200, JSON, b"[" * 100_000),
    "no list": lambda _: page_of({"items": CUSTOMER}),
    "cut off": lambda _: Reply(pieces=[HEAD + b"Content-Length: 99999\r\n\r\n" + CUSTOMER.encode()]),
    "no gzip": lambda _: Reply(200, {**JSON, "Content-Encoding": "gzip"}, CUSTOMER.encode()),
    "cut gzip": lambda _: Reply(200, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(CUSTOMER.encode())[:-9]),
    "odd headers": lambda _: Reply(pieces=[HEAD + CUSTOMER.encode() + b"\r\nno header\r\n\r\n"]),
    "no HTTP": lambda _: Reply(pieces=[CUSTOMER.encode() + b"\r\n\r\n"]),
    "odd status": lambda _: Reply(pieces=[b"HTTP/1.1 " + CUSTOMER.encode() + b"\r\n\r\n"]),
    "no answer": lambda _: Reply(pieces=[]),
    "foreign redirect": lambda _: Reply(302, {"Location": f"http://{CUSTOMER}.invalid/{CUSTOMER}?{CUSTOMER}"}),
    "endless redirect": lambda request: Reply(302, {"Location": f"/{CUSTOMER}?{request.target.partition('?')[2]}"}),
    "odd redirect": lambda _: Reply(302, {"Location": f"http://[{CUSTOMER}"}),
    "foreign link": lambda _: page(RECORD, next=f"http://{CUSTOMER}.invalid/{CUSTOMER}"),
    "failing link": lambda request: Reply(503) if CUSTOMER in request.target else page(
        RECORD, next=f"/{CUSTOMER}?{CUSTOMER}={CUSTOMER}&{request.target.partition('?')[2]}"
    ),
    "looping link": lambda request: page(RECORD, next=f"/{CUSTOMER}?{request.target.partition('?')[2]}"),
    "odd link": lambda _: page(RECORD, next={"link": CUSTOMER}),
    "odd total": lambda _: page(RECORD, total=CUSTOMER),
    "outside": lambda _: page({**RECORD, "updated_at": "2024-01-01T00:00:00Z"}),
    "odd request id": lambda _: Reply(500, {"X-Request-Id": f"{CUSTOMER}@example.com"}),
}  # fmt: skip


def page_of(body: object) -> Reply:
    return Reply(200, JSON, json.dumps(body).encode())


def spellings(secret: str) -> set[str]:
    """Return every form in which the secret could show."""
    pairs = {secret, f"someone:{secret}", f"tenant {secret}"}
    encoded = {base64.b64encode(text.encode()).decode().rstrip("=")[:-2] for text in pairs}
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], *encoded}


def everything_shown(error: BaseException, records: list[logging.LogRecord], *objects: object) -> str:
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or following.__context__
    shown = [text for each in chain for text in (str(each), repr(each), repr(vars(each)))]
    shown += ["".join(traceback.format_exception(error)), *map(repr, objects)]
    formatter = logging.Formatter()
    shown += [f"{record.getMessage()} {record.args!r} {formatter.format(record)}" for record in records]
    return "\n".join(shown)


@pytest.mark.parametrize("secret", SECRETS, ids=["plain", "special"])
@pytest.mark.parametrize("auth", AUTHS)
def test_no_failure_shows_a_secret_or_a_customer(auth: str, secret: str) -> None:
    described = {**AUTHS[auth], "retry": {"attempts": 2}, "timeouts": {"connect": "1s", "read": "1s", "total": "1s"}}
    pagination = {"style": "next_link", "link": "next", "total": "total || `1`"}
    for name, answer in FAILURES.items():
        with Server(answer) as server, all_records_of_all_loggers() as records:
            made = profile(server.url, pagination=pagination, **described)
            with ProviderClient(made, {"SECRET": secret}, sleep=Sleeps()) as client:
                with pytest.raises(ProviderError) as raised:
                    list(client.walk(WINDOW))
                transport = client._transport
                objects = (made, client, transport, transport._session, transport._session.auth, transport._budget)
                shown = everything_shown(raised.value, records, *objects)
        assert server.requests, name
        assert records, "urllib3 logs at debug level"
        assert CUSTOMER not in shown, name
        assert not [spelling for spelling in spellings(secret) if spelling in shown], name


def test_a_connection_that_fails_shows_no_secret() -> None:
    described = {**AUTHS["key in the query"], "retry": {"attempts": 2}}
    for base_url in (f"http://127.0.0.1:{free_port()}", "http://provider.invalid", "https://127.0.0.1:1"):
        client = ProviderClient(profile(base_url, **described), {"SECRET": SECRETS[0]}, sleep=Sleeps())
        with all_records_of_all_loggers() as records, client, pytest.raises(ProviderError) as raised:
            list(client.walk(WINDOW))
        shown = everything_shown(raised.value, records, client)
        assert SECRETS[0] not in shown


def test_a_secret_in_the_path_of_the_base_url_is_shown_nowhere() -> None:
    with Server(Reply(500)) as server, all_records_of_all_loggers() as records:
        described = profile(f"{server.url}/hooks/${{SECRET}}/v1")
        with ProviderClient(described, {"SECRET": SECRETS[0]}, sleep=Sleeps()) as client:
            with pytest.raises(ProviderError) as raised:
                list(client.walk(WINDOW))
            shown = everything_shown(raised.value, records, client, client._transport)
        assert SECRETS[0] in server.requests[0].target
        assert SECRETS[0] not in shown
        assert raised.value.request.url == f"{server.url}/hooks/.../v1/customers"


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("secret", ["sikrit7531\n", " sikrit7531", "sikrit7531\r\n"])
def test_a_secret_with_white_space_around_it_is_refused_by_the_name_of_its_variable(auth: str, secret: str) -> None:
    with pytest.raises(ProfileError, match="SECRET begins or ends with white space") as raised:
        ProviderClient(profile("http://127.0.0.1:1", **AUTHS[auth]), {"SECRET": secret})
    assert "sikrit" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("auth", ["bearer", "key in a header", "extra header"])
@pytest.mark.parametrize("secret", ["sikrit\n7531", "sikrit7531ü", "sikrit\x007531"])
def test_a_secret_that_no_header_can_hold_is_refused_by_the_name_of_the_header(auth: str, secret: str) -> None:
    with pytest.raises(ProfileError, match="the value of header ") as raised:
        ProviderClient(profile("http://127.0.0.1:1", **AUTHS[auth]), {"SECRET": secret})
    assert "sikrit" not in "".join(traceback.format_exception(raised.value))


def test_an_answer_shows_neither_its_address_nor_its_contents() -> None:
    described = profile("http://127.0.0.1:1", **AUTHS["key in the query"])
    with Server(page(RECORD)) as server:
        made = described.model_copy(update={"base_url": server.url})
        with ProviderClient(made, {"SECRET": SECRETS[0]}) as client:
            answer = client._transport.get(client._transport.list_url)
    assert SECRETS[0] in answer.url
    assert SECRETS[0] not in repr(answer)
    assert CUSTOMER not in repr(answer)
