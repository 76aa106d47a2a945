"""What is put on a request, for each way of authentication."""

from typing import Any

import pytest
import requests

from customer_pipeline.provider.auth import Credentials
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline_tests.provider.wire import profile

URL = "http://provider.test/customers"


def sent(url: str, environment: dict[str, str], **changes: Any) -> requests.PreparedRequest:
    credentials = Credentials(profile("http://provider.test", **changes), environment)
    return requests.Request("GET", url, auth=credentials).prepare()


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "bearer", "token": "${A}"}, "Authorization", "Bearer one"),
        ({"type": "api_key", "name": "X-Key", "value": "${A}"}, "X-Key", "one"),
        ({"type": "basic", "username": "me", "password": "${A}"}, "Authorization", "Basic bWU6b25l"),
        ({"type": "basic", "username": "${B}", "password": "${A}"}, "Authorization", "Basic dHfDtjpvbmU="),
    ],
)
def test_a_header_carries_the_secret(auth: dict[str, str], header: str, value: str) -> None:
    request = sent(URL, {"A": "one", "B": "twö"}, auth=auth)
    assert request.headers[header] == value
    assert request.url == URL


def test_extra_headers_are_sent_beside_the_credentials() -> None:
    headers = {"X-Tenant": "acme-${A}", "X-Version": "2"}
    request = sent(URL, {"A": "one"}, headers=headers, auth={"type": "bearer", "token": "${A}"})
    assert (request.headers["X-Tenant"], request.headers["X-Version"]) == ("acme-one", "2")
    assert request.headers["Authorization"] == "Bearer one"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "?k%20y=a%26b"),
        ("?x=1", "?x=1&k%20y=a%26b"),
        ("?k+y=old&x=1&k%20y=older", "?x=1&k%20y=a%26b"),
        ("?x=%FF%2f&&flag&e=", "?x=%FF%2f&flag&e=&k%20y=a%26b"),
    ],
)
def test_a_key_in_the_query_replaces_its_like_and_leaves_the_rest(query: str, expected: str) -> None:
    auth = {"type": "api_key", "in": "query", "name": "k y", "value": "${A}"}
    request = sent(URL + query, {"A": "a&b"}, auth=auth)
    assert (request.url or "").replace("k+y=", "k%20y=").lower() == (URL + expected).lower()


def test_without_credentials_nothing_is_sent() -> None:
    assert sent(URL, {}).headers == {}
    assert sent(URL, {}).url == URL


@pytest.mark.parametrize("environment", [{}, {"A": ""}])
def test_a_secret_that_is_not_set_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(ProfileError, match="the environment variable A is not set"):
        sent(URL, environment, auth={"type": "bearer", "token": "${A}"})


def test_credentials_show_nothing() -> None:
    described = profile("http://provider.test", auth={"type": "bearer", "token": "${A}"})
    assert repr(Credentials(described, {"A": "one"})) == "Credentials(...)"
