"""Invents one customer's record, the same for the same seed and number; and how it changes. Pure."""

import random
from typing import Any

import orjson

from customer_pipeline.sandbox import dirt
from customer_pipeline.sandbox.names import NAMES, Names
from customer_pipeline.sandbox.places import COUNTRIES, Country

_WEIGHTS = (24, 14, 10, 12, 8, 4, 3, 4, 2, 5, 3, 3, 3, 3, 2)
_STATUSES = ("active", "active", "active", "lead", "inactive", "ACTIVE", "blocked", "")
_TAGS = ("vip", "newsletter", "B2B", "b2b ", "trial", "churn-risk", "événement", "до 2020", "重要", "", "vip")
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com")


def customer_id(number: int) -> str:
    """Return the id of the customer that was created as the `number`th."""
    return f"cus_{number:05}"


def invent(seed: int, number: int) -> bytes:
    """Return the JSON of a new customer, without its datetimes and its deletion mark."""
    dice = random.Random(f"{seed}/customer/{number}")
    country = dice.choices(COUNTRIES, _WEIGHTS)[0]
    names = NAMES[country.language]
    given, family = dice.choice(names.given), dice.choice(names.family)
    record: dict[str, Any] = {
        "id": customer_id(number),
        "name": _name(dice, names, given, family),
        "contact": {"email": _email(dice, given, family, number), "phone": _phone(dice, country)},
        "company": {"name": dirt.text(dice, dice.choice(names.companies))} if dice.random() < 0.4 else None,
        "address": _address(dice, country) if dice.random() < 0.95 else None,
        "locale": dirt.locale(dice, country.language, country.alpha2),
        "status": dice.choice(_STATUSES),
        "tags": dice.choices(_TAGS, k=dice.randrange(4)),
        "custom": _custom(dice),
    }
    if dice.random() < 0.02:
        del record["contact"]["email"]
    return orjson.dumps(record)


def edited(body: bytes, dice: random.Random) -> bytes:
    """Return the JSON of a customer after one edit, which always differs from the one before."""
    record = orjson.loads(body)
    country = dice.choice(COUNTRIES)
    custom = record.setdefault("custom", {})
    edit = dice.randrange(5)
    if edit == 0:
        record["status"] = dice.choice(_STATUSES)
    elif edit == 1:
        record.setdefault("contact", {})["phone"] = _phone(dice, country)
    elif edit == 2:  # noqa: PLR2004 -- a case, not a quantity
        record["address"] = _address(dice, country)
    elif edit == 3:  # noqa: PLR2004 -- a case, not a quantity
        record["tags"] = dice.choices(_TAGS, k=dice.randrange(5))
    custom["score"] = dice.randrange(1000) / 10
    custom["revision"] = custom.get("revision", 0) + 1
    return orjson.dumps(record)


def _name(dice: random.Random, names: Names, given: str, family: str) -> dict[str, str]:
    full = (family, given) if names.family_first else (given, family)
    return {
        "full": dirt.text(dice, names.separator.join(full)),
        "first": dirt.text(dice, given),
        "last": dirt.text(dice, family),
    }


def _email(dice: random.Random, given: str, family: str, number: int) -> str | None:
    local = dirt.ascii_letters(f"{given}.{family}").strip(".-") or f"customer{number}"
    return dirt.email(dice, f"{local}{number}@{dice.choice(_DOMAINS)}")


def _phone(dice: random.Random, country: Country) -> str | None:
    pattern = dice.choice(country.international if dice.random() < 0.6 else country.national)
    return dirt.phone(dice, dirt.digits(dice, pattern))


def _address(dice: random.Random, country: Country) -> dict[str, str | None]:
    city, region, postal_code = dice.choice(country.cities)
    return {
        "line1": dirt.text(dice, dice.choice(country.streets).format(n=dice.randrange(1, 200))),
        "line2": dice.choice((None, None, None, "", "c/o Example", "2. OG")),
        "city": dirt.text(dice, city),
        "region": region or None,
        "postal_code": postal_code,
        "country": dirt.country(dice, country.alpha2, country.spellings),
    }


def _custom(dice: random.Random) -> dict[str, Any]:
    return {
        "birth_date": dirt.date(dice, dice.randrange(1925, 2008), dice.randrange(1, 13), dice.randrange(1, 29)),
        "loyalty_since": dirt.datetime_text(
            dice, dice.randrange(2008, 2026), dice.randrange(1, 13), dice.randrange(1, 29), dice.randrange(86_400)
        ),
        "newsletter": dice.choice((True, False, None, "yes", "0")),
        "score": dice.choice((dice.randrange(1000) / 10, None, "n/a", 0)),
    }
