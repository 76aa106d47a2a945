"""Any request: what the specification allows and forbids, by schemathesis, and what it never thought of."""

import http.client
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig as Config

from customer_pipeline import schemas
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.api.lookup_entries import put
from customer_pipeline_tests.api.serving import ApiServer, deleted, live

load_all_checks()
REFUSALS = {"checks": {"negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 413, 414, 431]}}}
# A schema cannot say which numbers are valid, which cursors were given, and what goes together.
negative_data_rejection: Any = CHECKS.get_one("negative_data_rejection")
positive_data_acceptance: Any = CHECKS.get_one("positive_data_acceptance")
schema = schemathesis.openapi.from_dict(schemas.specification(), config=Config.from_dict(REFUSALS)).exclude(
    path="/v1/changes"
)


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
