"""Lookup by e-mail address and telephone number of customers who were published."""

import pytest

from customer_pipeline.api.lookups import MOST
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.cache.removal import remove
from customer_pipeline_tests.api.serving import KEYS, ApiServer, deleted, ids_of, live, put

LOOKUP = "/v1/customers/lookup"


@pytest.mark.parametrize("text", ["ada@example.com", " ada@EXAMPLE.com ", "ada@example.com\u200b"])
def test_an_address_is_found_however_it_is_written(api: ApiServer, connection: Connection, text: str) -> None:
    document = put(connection, "a", email="ada@example.com")
    put(connection, "b", email="ada@example.co")
    put(connection, "c", email="ada@example.comx")
    response = api.get(LOOKUP, email=text)
    assert response.content == b'{"customers":[' + document + b'],"complete":true}'
    assert response.headers["Cache-Control"] == "private, no-store"


def test_an_international_address_is_found_in_both_forms(api: ApiServer, connection: Connection) -> None:
    put(connection, "a", email="info@zürich.example.ch")
    for text in ("info@zürich.example.ch", "info@xn--zrich-kva.example.ch", "info@zu\u0308rich.example.ch"):
        assert ids_of(api.get(LOOKUP, email=text).json()["customers"]) == ["a"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("?phone=%2B41446681800", ["a"]),
        ("?phone=+41446681800", ["a"]),  # a bare + is a space
        ("?phone=%2B41%2044%20668%2018%2000", ["a"]),
        ("?phone=0041446681800&country=CH", ["a"]),
        ("?phone=044%20668%2018%2000&country=CH", ["a"]),
        ("?phone=044%20668%2018%2000&country=Switzerland", ["a"]),
        ("?phone=%2B41446681800&country=US", ["a"]),
        ("?phone=%2B41446681801", []),
    ],
)
def test_a_number_is_found_however_it_is_written(
    api: ApiServer, connection: Connection, path: str, expected: list[str]
) -> None:
    put(connection, "a", phone="+41446681800")
    response = api.get(LOOKUP + path)
    assert response.status_code == 200
    assert ids_of(response.json()["customers"]) == expected


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("", "email"),
        ("?email=a@example.com&phone=%2B41446681800", "email"),
        ("?email=nobody", "email"),
        ("?email=", "email"),
        ("?email=a@example.com&country=CH", "country"),
        ("?phone=0446681800", "phone"),
        ("?phone=0446681800&country=Atlantis", "country"),
        ("?phone=12&country=CH", "phone"),
        ("?phone=%00", "phone"),
        ("?name=Ada", "query"),
        ("?email=" + "a" * 400, "email"),
    ],
)
def test_what_cannot_be_used_is_400_with_the_field_named_and_not_repeated(
    api: ApiServer, path: str, field: str
) -> None:
    response = api.get(LOOKUP + path)
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert "0446681800" not in response.text
    assert "Atlantis" not in response.text


def test_several_customers_can_share_a_value(api: ApiServer, connection: Connection) -> None:
    for name in ("b", "a", "c d", "🦊"):
        put(connection, name, email="info@example.com")
    assert ids_of(api.get(LOOKUP, email="info@example.com").json()["customers"]) == ["a", "b", "c d", "🦊"]


def test_of_very_many_a_hundred_are_shown_and_said_not_to_be_all(api: ApiServer, connection: Connection) -> None:
    for number in range(MOST):
        put(connection, f"c{number:03d}", email="info@example.com")
    assert api.get(LOOKUP, email="info@example.com").json()["complete"] is True
    put(connection, "x", email="info@example.com")
    found = api.get(LOOKUP, email="info@example.com").json()
    assert (len(found["customers"]), found["complete"]) == (MOST, False)


def test_who_has_another_value_since_or_was_deleted_or_erased_is_found_no_more(
    api: ApiServer, publisher: Publisher, connection: Connection
) -> None:
    later = "2026-11-23T07:51:00.000000Z"
    for name in ("changed", "deleted", "erased", "same"):
        put(connection, name, email="old@example.com", phone="+41446681800")
    publisher.publish([live("changed", email="new@example.com", phone=None, updated_at=later)])
    publisher.publish([deleted("deleted", updated_at=later)])
    remove(connection, "erased", keys=KEYS)
    assert ids_of(api.get(LOOKUP, email="old@example.com").json()["customers"]) == ["same"]
    assert ids_of(api.get(LOOKUP, phone="+41446681800").json()["customers"]) == ["same"]
    assert ids_of(api.get(LOOKUP, email="new@example.com").json()["customers"]) == ["changed"]


def test_an_entry_whose_customer_has_another_value_or_is_gone_is_no_hit(api: ApiServer, connection: Connection) -> None:
    put(connection, "a", email="new@example.com")
    foreign = (b"old@example.com\na", b"old@example.com\ngone", b"old@example.com\n\xff", b"old@example.com\n")
    connection.zadd(KEYS.by_email, dict.fromkeys(foreign, 0))
    assert api.get(LOOKUP, email="old@example.com").json() == {"customers": [], "complete": True}
    assert ids_of(api.get(LOOKUP, email="new@example.com").json()["customers"]) == ["a"]


def test_a_document_with_numbers_that_no_double_holds_is_served_as_it_is(
    api: ApiServer, connection: Connection
) -> None:
    put(connection, "a", email="a@example.com", attributes={"big": 12345678901234567890123})
    assert b'"big":12345678901234567890123' in api.get(LOOKUP, email="a@example.com").content
