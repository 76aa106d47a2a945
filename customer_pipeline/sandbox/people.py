"""Invents one customer's record, the same for the same seed and number; and how it changes. Pure."""

import random
from typing import Any

import orjson

from customer_pipeline.sandbox import dirt
from customer_pipeline.sandbox.names import NAMES, Names
from customer_pipeline.sandbox.places import COUNTRIES, Country

_STATUSES = ("active", "active", "active", "lead", "inactive", "ACTIVE", "blocked", "")
_TAGS = ("vip", "newsletter", "B2B", "b2b ", "trial", "churn-risk", "événement", "до 2020", "重要", "", "vip")
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com")
_BY_CODE = {country.alpha2: country for country in COUNTRIES}
_HOMES = dirt.Mixture(**{country.alpha2: country.weight for country in COUNTRIES})
_PARTS = dirt.Mixture(everything=33, no_company=60, no_address=5, no_email=2)
_EDITS = dirt.Mixture(status=1, phone=1, address=1, tags=1, score=1)


def customer_id(number: int) -> str:
    """Return the id of the customer that was created as the `number`th."""
    return f"cus_{number:05}"


def invent(seed: int, number: int) -> bytes:
    """Return the JSON of a new customer, without its datetimes and its deletion mark."""
    dice = random.Random(f"{seed}/customer/{number}")
    country = _BY_CODE[_HOMES.draw(dice)]
    names = NAMES[country.language]
    given, family = dice.choice(names.given), dice.choice(names.family)
    parts = _PARTS.draw(dice)
    contact = {"email": _email(dice, given, family, number), "phone": _phone(dice, country)}
    if parts == "no_email":
        del contact["email"]
    return orjson.dumps(
        {
            "id": customer_id(number),
            "name": _name(dice, names, given, family),
            "contact": contact,
            "company": None if parts == "no_company" else {"name": dirt.text(dice, dice.choice(names.companies))},
            "address": None if parts == "no_address" else _address(dice, country),
            "locale": dirt.locale(dice, country.language, country.alpha2),
            "status": dice.choice(_STATUSES),
            "tags": dice.choices(_TAGS, k=dice.randrange(4)),
            "custom": _custom(dice),
        }
    )


def edited(body: bytes, dice: random.Random) -> bytes:
    """Return the JSON of a customer after one edit; it always differs from the one before."""
    record = orjson.loads(body)
    match _EDITS.draw(dice):
        case "status":
            record["status"] = dice.choice(_STATUSES)
        case "phone":
            record["contact"] = {**_object(record, "contact"), "phone": _phone(dice, dice.choice(COUNTRIES))}
        case "address":
            record["address"] = _address(dice, dice.choice(COUNTRIES))
        case "tags":
            record["tags"] = dice.choices(_TAGS, k=dice.randrange(5))
    custom = _object(record, "custom")
    revision = custom.get("revision", 0)
    score = dice.randrange(1000) / 10
    record["custom"] = {**custom, "score": score, "revision": revision + 1 if isinstance(revision, int) else 1}
    return orjson.dumps(record)


def _object(record: dict[str, Any], name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _name(dice: random.Random, names: Names, given: str, family: str) -> dict[str, str]:
    full = (family, given) if names.family_first else (given, family)
    return {
        "full": dirt.text(dice, names.separator.join(full)),
        "first": dirt.text(dice, given),
        "last": dirt.text(dice, family),
    }


def _email(dice: random.Random, given: str, family: str, number: int) -> str | None:
    local = dirt.ascii_letters(f"{given}.{family}").strip(".-") or "customer"
    return dirt.email(dice, f"{local}{number}@{dice.choice(_DOMAINS)}")


def _phone(dice: random.Random, country: Country) -> str | None:
    return dirt.phone(dice, dirt.digits(dice, dice.choice((*country.national, *country.international))))


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
    since = f"{dice.randrange(2008, 2026)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}"
    return {
        "birth_date": dirt.date(dice, dice.randrange(1925, 2008), dice.randrange(1, 13), dice.randrange(1, 29)),
        "loyalty_since": dirt.datetime_text(dice, since, dice.randrange(86_400)),
        "newsletter": dice.choice((True, False, None, "yes", "0")),
        "score": dice.choice((dice.randrange(1000) / 10, None, "n/a", 0)),
    }
