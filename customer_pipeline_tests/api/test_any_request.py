"""Any request: what the specification allows and forbids, by schemathesis, and what it never thought of."""

import http.client
import socket
from typing import Any
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig as Config

from customer_pipeline import schemas
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.api.serving import ApiServer, deleted, live, put

load_all_checks()
REFUSALS = {"checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 413, 414, 431]}}}
# A schema cannot say which numbers are valid, which cursors were given, and what goes together.
negative_data_rejection: Any = CHECKS.get_one("negative_data_rejection")
positive_data_acceptance: Any = CHECKS.get_one("positive_data_acceptance")
whole = schemathesis.openapi.from_dict(schemas.specification(), config=Config.from_dict(REFUSALS))
schema = whole.exclude(path="/v1/changes")
changes = whole.include(path="/v1/changes")  # an answer without end


@pytest.fixture
def filled(api: ApiServer, connection: Connection) -> ApiServer:
    """The API before a cache with some customers."""
    Publisher(connection).publish([*(live(f"c{number}") for number in range(20)), deleted("gone")])
    put(connection, "ada", email="ada@example.com", phone="+41446681800")
    return api


@schema.parametrize()
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_the_service_does_what_the_specification_says(case: Case[Any], filled: ApiServer) -> None:
    # In an address a number is a list of one id, which the tool takes for something else.
    has_ids = "ids" in (case.query or {})
    excluded = [positive_data_acceptance, *([negative_data_rejection] if has_ids else [])]
    case.call_and_validate(
        base_url=filled.url, headers={"Authorization": f"Bearer {filled.key}"}, excluded_checks=excluded
    )


PATHS = st.sampled_from(
    ["/v1/customers", "/v1/customers/", "/v1/customers/lookup", "/v1/freshness", "/metrics", "/docs/", "/", "/readyz"]
)
# What an HTTP client may put into a line of a request or a header.
BYTES = st.binary(max_size=60).map(lambda raw: bytes(byte for byte in raw if byte > 0x20 and byte != 0x7F))
NAMES = st.sampled_from(["ids", "updated_since", "cursor", "limit", "email", "phone", "country", "x"])
ENCODED = st.text(max_size=30).map(
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
)
QUERIES = st.lists(st.tuples(NAMES, st.one_of(ENCODED, BYTES.map(lambda raw: raw.decode("latin-1")))), max_size=4)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "If-None-Match",
            "Accept-Encoding",
            "Last-Event-ID",
            "X-Request-Id",
            "Origin",
            "Authorization",
            "Accept",
            "Range",
        ]
    ),
    BYTES,
    max_size=3,
)


@given(
    method=st.sampled_from(["GET", "GET", "GET", "OPTIONS", "HEAD", "DELETE"]),
    path=PATHS,
    rest=st.one_of(ENCODED, BYTES.map(lambda raw: raw.decode("latin-1"))),
    query=QUERIES,
    headers=HEADERS,
)
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
def test_no_request_makes_the_service_fail(
    filled: ApiServer, *, method: str, path: str, rest: str, query: list[tuple[str, str]], headers: dict[str, bytes]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", filled.port, timeout=10)
    target = f"{path}{rest}?{'&'.join(f'{name}={value}' for name, value in query)}"
    try:
        connection.putrequest(method, "/", skip_accept_encoding=True)
        connection._buffer[0] = f"{method} {target} HTTP/1.1".encode("latin-1")  # type: ignore[attr-defined] # unchecked
        if "Authorization" not in headers:
            connection.putheader("Authorization", f"Bearer {filled.key}")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        assert response.status < 500
    finally:
        connection.close()


def test_no_address_in_a_request_is_asked(filled: ApiServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(1)
        host = f"127.0.0.1:{trap.getsockname()[1]}"
        address = f"http://{host}/"
        authorization = f"Authorization: Bearer {filled.key}"
        named = [f"{name}: {address}" for name in ("Origin", "Referer", "X-Forwarded-Host", "X-Original-URL", "Via")]
        named += [f"Host: {host}", f"Forwarded: host={host}", f"X-Request-Id: {address}", f"Last-Event-ID: {address}"]
        quoted = quote(address, safe="")
        targets = [address, f"/v1/customers/{quoted}", f"/v1/customers?ids={quoted}", f"/v1/customers?cursor={quoted}"]
        targets += [
            f"/v1/customers/lookup?email=ada@{host}",
            f"/v1/customers?updated_since={quoted}",
            f"/docs/{quoted}",
        ]
        for target in targets:
            with socket.create_connection(("127.0.0.1", filled.port), timeout=10) as connection:
                lines = [f"GET {target} HTTP/1.1", "Connection: close", authorization, *named, "", ""]
                connection.sendall("\r\n".join(lines).encode())
                assert connection.recv(9) == b"HTTP/1.1 "
        with pytest.raises(TimeoutError):
            trap.accept()


@changes.parametrize()
@settings(max_examples=50, suppress_health_check=list(HealthCheck))
def test_the_stream_is_opened_or_refused_as_the_specification_says(case: Case[Any], filled: ApiServer) -> None:
    asked = case.as_transport_kwargs(base_url=filled.url, headers={"Authorization": f"Bearer {filled.key}"})
    with requests.request(**asked, stream=True, timeout=10) as response:
        if case.method != "GET":
            assert response.status_code == 405
            return
        documented = case.operation.definition.raw["responses"][str(response.status_code)]["content"]
        assert response.headers["Content-Type"] in documented
