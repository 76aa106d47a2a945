"""The invented customers: dirty in the ways meant, and in no other."""

import random
import unicodedata
from collections import Counter
from typing import Any

import orjson
import phonenumbers
import pycountry
import pytest
from email_validator import EmailNotValidError, validate_email

from customer_pipeline.sandbox import dirt, people
from customer_pipeline.sandbox.names import NAMES
from customer_pipeline.sandbox.people import edited, invent
from customer_pipeline.sandbox.places import COUNTRIES, Country

PEOPLE: list[dict[str, Any]] = [orjson.loads(invent(1, number)) for number in range(1, 2001)]


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


def is_valid_email(value: str) -> bool:
    try:
        validate_email(value, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


@pytest.mark.parametrize("country", COUNTRIES, ids=lambda country: country.alpha2)
def test_clean_phone_numbers_are_valid_in_their_country(country: Country) -> None:
    dice = random.Random(1)
    for pattern in (*country.international, *country.national):
        for _ in range(50):
            text = dirt.digits(dice, pattern)
            number = phonenumbers.parse(text, country.alpha2)
            assert phonenumbers.is_valid_number(number), text
            assert phonenumbers.region_code_for_number(number) == country.alpha2


@pytest.mark.parametrize("text", dirt._JUNK_PHONES)
def test_junk_phone_numbers_are_invalid_everywhere(text: str) -> None:
    for country in COUNTRIES:
        try:
            number = phonenumbers.parse(text, country.alpha2)
        except phonenumbers.NumberParseException:
            continue
        assert not phonenumbers.is_valid_number(number), country.alpha2


@pytest.mark.parametrize("text", dirt._INVALID_EMAILS)
def test_junk_addresses_are_invalid(text: str) -> None:
    assert not is_valid_email(text)


@pytest.mark.parametrize("country", COUNTRIES, ids=lambda country: country.alpha2)
def test_every_spelling_names_its_country(country: Country) -> None:
    for spelling in country.spellings:
        assert pycountry.countries.lookup(spelling).alpha_2 == country.alpha2


def test_most_addresses_are_valid_and_some_are_not() -> None:
    found = [email for person in PEOPLE if (email := person["contact"].get("email"))]
    assert 0.94 < share([is_valid_email(email.strip()) for email in found]) < 0.99
    assert 0.01 < share(["email" not in person["contact"] for person in PEOPLE]) < 0.04
    assert any(email != email.strip() for email in found)
    assert any(email.isupper() for email in found)
    assert any(not email.isascii() for email in found)


def test_addresses_are_of_reserved_domains_only() -> None:
    for person in PEOPLE:
        email = (person["contact"].get("email") or "").strip().lower()
        if is_valid_email(email):
            domain = email.partition("@")[2]
            assert domain.split(".")[-2:][0] == "example" or domain.endswith(".example")


def test_names_come_in_every_script_and_are_dirty() -> None:
    names = [person["name"]["full"] for person in PEOPLE]
    scripts = Counter(unicodedata.name(name.strip()[0]).split()[0] for name in names)
    assert set(scripts) >= {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "CJK", "HANGUL"}
    assert any("KATAKANA" in unicodedata.name(c, "") for name in names for c in name)
    assert any(unicodedata.normalize("NFC", name) != name for name in names)
    assert any(unicodedata.category(c) == "Cc" for name in names for c in name)
    assert any("\u00a0" in name for name in names)
    assert any("  " in name.strip() for name in names)


def test_every_language_of_a_country_has_names() -> None:
    assert {country.language for country in COUNTRIES} == set(NAMES)


def test_countries_are_codes_numbers_names_and_junk() -> None:
    written = {person["address"]["country"] for person in PEOPLE if person["address"]}
    assert written >= {"CH", "CHE", "756", "Switzerland", "SWITZERLAND", " switzerland", "Atlantis", "", None}


def test_parts_are_sometimes_missing() -> None:
    assert 0.5 < share([person["company"] is None for person in PEOPLE]) < 0.7
    assert 0.02 < share([person["address"] is None for person in PEOPLE]) < 0.08


def test_attributes_come_in_many_forms() -> None:
    forms = {type(person["custom"][name]) for person in PEOPLE for name in ("newsletter", "score")}
    assert forms == {bool, type(None), str, float, int}
    births = {person["custom"]["birth_date"] for person in PEOPLE}
    assert births & set(dirt._JUNK_DATES)
    assert {person["custom"]["loyalty_since"] is None for person in PEOPLE} == {True, False}
    assert {person["locale"] for person in PEOPLE} >= {"de-CH", "de_CH", "de", "DE-ch", None}


def test_a_customer_depends_on_its_seed_and_number_alone() -> None:
    assert orjson.loads(invent(1, 7)) == PEOPLE[6]
    assert invent(2, 7) != invent(1, 7)


@pytest.mark.parametrize("body", [invent(1, 1), b'{"id":"x"}', b'{"id":"x","contact":3,"custom":[]}'])
def test_an_edit_always_changes_something_but_never_the_id(body: bytes) -> None:
    dice = random.Random(3)
    for _ in range(40):
        before, body = body, edited(body, dice)
        assert body != before
        assert orjson.loads(body)["id"] == orjson.loads(before)["id"]


def test_a_revision_that_is_no_number_begins_anew() -> None:
    body = edited(b'{"id":"x","custom":{"revision":"old"}}', random.Random(1))
    assert orjson.loads(body)["custom"]["revision"] == 1


def test_ids_keep_their_form_past_the_hundred_thousandth() -> None:
    assert people.customer_id(1) == "cus_00001"
    assert people.customer_id(1_000_000) == "cus_1000000"
