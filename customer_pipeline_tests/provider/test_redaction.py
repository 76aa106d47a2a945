"""What may be shown of a URL, and of what the HTTP library logs."""

import logging

import pytest

from customer_pipeline.provider.redaction import QueryFilter, origin, redact


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a.test/x", "http://a.test:80/x"),
        ("https://A.test/x/", "https://a.test:443/x/"),
        ("https://me:pass@a.test:8443/x?key=secret&n=&key=2#frag", "https://a.test:8443/x?key=...&n=...&key=..."),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
    ],
)
def test_a_url_is_shown_without_userinfo_values_and_fragment(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://good", "http://good:80"),
        ("HTTP://GOOD:080/x", "http://good:80"),
        ("http://evil\\@good/", "http://evil:80"),
        ("http://good@evil/", "http://evil:80"),
        ("http://good:80@evil/", "http://evil:80"),
        ("http://evil#@good/", "http://evil:80"),
        ("http://evil?@good/", "http://evil:80"),
        ("/x", "None://:0"),
    ],
)
def test_an_origin_is_the_one_that_would_be_connected_to(url: str, expected: str) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize("url", ["http://[::1", "http://a:99999999/", "http://a:b/"])
def test_what_is_no_url_has_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        origin(url)


def test_log_records_lose_paths_queries_and_the_texts_of_errors() -> None:
    arguments = ("http", "host", 80, "GET", "/path?key=secret", "HTTP/1.1", 200, ValueError("secret"), "x://y?secret")
    caught = (ValueError, ValueError("secret"), None)
    record = logging.LogRecord("urllib3", logging.DEBUG, "file", 1, "%s " * 9, arguments, caught)
    assert QueryFilter().filter(record)
    assert logging.Formatter().format(record) == "http host 80 GET /... HTTP/1.1 200 ValueError /... "


def test_log_records_without_arguments_pass() -> None:
    record = logging.LogRecord("urllib3", logging.DEBUG, "file", 1, "text", None, None)
    assert QueryFilter().filter(record)
    assert record.getMessage() == "text"
