"""The usual dirt: how clean values come to look after years in a CRM. Pure; the dice decide."""

import random
import unicodedata
from bisect import bisect
from itertools import accumulate

_INVALID_EMAILS = ("nobody@", "at example.com", "a@b@example.com", "ask him", "-", "first last@example.com")
_INTERNATIONAL_DOMAINS = ("bücher.example", "xn--bcher-kva.example", "例え.example", "παράδειγμα.example")
_JUNK_PHONES = ("n/a", "0000000000", "call office", "+", "123", "555", "+999 555 0100")
_JUNK_COUNTRIES = ("??", "Atlantis", "XX", "-", "Unknown", "999")
_CONTROL_CHARACTERS = ("\u0000", "\u0007", "\t", "\r\n", "\u0085")
_JUNK_DATES = ("0000-00-00", "1970-13-45", "unknown", "31.02.1980")


class Mixture:
    """Names of cases, and how often each is drawn compared with the others."""

    def __init__(self, **shares: int) -> None:
        self._names = tuple(shares)
        self._cumulative = tuple(accumulate(shares.values()))

    def draw(self, dice: random.Random) -> str:
        """Return the name of one case."""
        return self._names[bisect(self._cumulative, dice.random() * self._cumulative[-1])]


_TEXTS = Mixture(clean=80, decomposed=6, padded=4, stretched=4, unbreakable=3, soiled=3)
_EMAILS = Mixture(clean=82, capitals=5, padded=4, international=3, invalid=3, empty=3)
_PHONES = Mixture(clean=92, empty=4, junk=4)
_COUNTRIES = Mixture(alpha2=60, spelled=34, empty=3, junk=3)
_LOCALES = Mixture(clean=4, underscore=1, language=1, capitals=1, empty=1)
_DATES = Mixture(iso=80, swiss=12, empty=5, junk=3)
_DATETIMES = Mixture(utc=2, offset=2, naive=2, minutes=1, empty=1)


def text(dice: random.Random, value: str) -> str:
    """Perhaps decompose, pad, stretch or soil a text; it means the same after normalization."""
    match _TEXTS.draw(dice):
        case "decomposed":
            return unicodedata.normalize("NFD", value)
        case "padded":
            return f"  {value} "
        case "stretched":
            return value.replace(" ", "  ")
        case "unbreakable":
            return value.replace(" ", "\u00a0") + "\u00a0"
        case "soiled":
            return value + dice.choice(_CONTROL_CHARACTERS)
        case _:
            return value


def email(dice: random.Random, value: str) -> str | None:
    """Perhaps spoil an address, write it in capitals, or move it to an international domain."""
    match _EMAILS.draw(dice):
        case "capitals":
            return value.upper()
        case "padded":
            return f" {value}\t"
        case "international":
            return f"{value.partition('@')[0]}@{dice.choice(_INTERNATIONAL_DOMAINS)}"
        case "invalid":
            return dice.choice(_INVALID_EMAILS)
        case "empty":
            return dice.choice((None, ""))
        case _:
            return value


def phone(dice: random.Random, value: str) -> str | None:
    """Perhaps lose a number or replace it by junk."""
    case = _PHONES.draw(dice)
    if case == "junk":
        return dice.choice(_JUNK_PHONES)
    return dice.choice((None, "")) if case == "empty" else value


def country(dice: random.Random, alpha2: str, spellings: tuple[str, ...]) -> str | None:
    """Write a country as alpha-2, alpha-3, number, or name, in any case, or as junk."""
    match _COUNTRIES.draw(dice):
        case "spelled":
            spelling = dice.choice(spellings)
            return dice.choice((spelling, spelling.upper(), f" {spelling.lower()}"))
        case "empty":
            return dice.choice((None, ""))
        case "junk":
            return dice.choice(_JUNK_COUNTRIES)
        case _:
            return alpha2


def locale(dice: random.Random, language: str, alpha2: str) -> str | None:
    """Write a language tag as `de-CH`, `de_CH`, `de` or `DE-ch`, or not at all."""
    match _LOCALES.draw(dice):
        case "underscore":
            return f"{language}_{alpha2}"
        case "language":
            return language
        case "capitals":
            return f"{language.upper()}-{alpha2.lower()}"
        case "empty":
            return None
        case _:
            return f"{language}-{alpha2}"


def date(dice: random.Random, year: int, month: int, day: int) -> str | None:
    """Write a date as ISO 8601, in the Swiss way, or as junk."""
    match _DATES.draw(dice):
        case "swiss":
            return f"{day}.{month}.{year}"
        case "empty":
            return None
        case "junk":
            return dice.choice(_JUNK_DATES)
        case _:
            return f"{year}-{month:02}-{day:02}"


def datetime_text(dice: random.Random, day: str, second: int) -> str | None:
    """Write a datetime with `Z`, with an offset, or naive, with a `T` or a space; or not at all."""
    minutes = f"{second // 3600:02}:{second // 60 % 60:02}"
    match _DATETIMES.draw(dice):
        case "offset":
            return f"{day}T{minutes}:{second % 60:02}.123+02:00"
        case "naive":
            return f"{day} {minutes}:{second % 60:02}"
        case "minutes":
            return f"{day} {minutes}"
        case "empty":
            return None
        case _:
            return f"{day}T{minutes}:{second % 60:02}Z"


def digits(dice: random.Random, pattern: str) -> str:
    """Replace every `#` by a digit."""
    count = pattern.count("#")
    return pattern.replace("#", "{}").format(*f"{dice.randrange(10**count):0{count}}")


def ascii_letters(value: str) -> str:
    """Return what of a text can stand in a plain address, in lower case, without accents."""
    plain = unicodedata.normalize("NFD", value.lower())
    return "".join(
        character for character in plain if character.isascii() and (character.isalnum() or character in ".-")
    )
