"""The usual dirt: how clean values come to look after years in a CRM. Pure; the dice decide."""

import random
import unicodedata

_INVALID_EMAILS = ("nobody@", "at example.com", "a@b@example.com", "ask him", "-", "first last@example.com")
_INTERNATIONAL_DOMAINS = ("bücher.example", "xn--bcher-kva.example", "例え.example", "παράδειγμα.example")
_JUNK_PHONES = ("n/a", "0000000000", "call office", "+", "123", "555", "+999 555 0100")
_JUNK_COUNTRIES = ("??", "Atlantis", "XX", "-", "Unknown", "999")
_CONTROL_CHARACTERS = ("\u0000", "\u0007", "\t", "\r\n", "\u0085")
_JUNK_DATES = ("0000-00-00", "1970-13-45", "unknown", "31.02.1980")


def text(dice: random.Random, value: str) -> str:
    """Perhaps decompose, pad, stretch or soil a text; it means the same after normalization."""
    roll = dice.random()
    if roll < 0.80:
        return value
    if roll < 0.86:
        return unicodedata.normalize("NFD", value)
    if roll < 0.90:
        return f"  {value} "
    if roll < 0.94:
        return value.replace(" ", "  ")
    if roll < 0.97:
        return f"{value.replace(' ', chr(0xA0))}\u00a0"
    return value + dice.choice(_CONTROL_CHARACTERS)


def email(dice: random.Random, value: str) -> str | None:
    """Perhaps spoil an address, write it in capitals, or move it to an international domain."""
    roll = dice.random()
    if roll < 0.82:
        return value
    if roll < 0.87:
        return value.upper()
    if roll < 0.91:
        return f" {value}\t"
    if roll < 0.94:
        return f"{value.partition('@')[0]}@{dice.choice(_INTERNATIONAL_DOMAINS)}"
    if roll < 0.97:
        return dice.choice(_INVALID_EMAILS)
    return dice.choice((None, ""))


def phone(dice: random.Random, value: str) -> str | None:
    """Perhaps lose a number or replace it by junk."""
    roll = dice.random()
    if roll < 0.92:
        return value
    return dice.choice((None, "")) if roll < 0.96 else dice.choice(_JUNK_PHONES)


def country(dice: random.Random, alpha2: str, spellings: tuple[str, ...]) -> str | None:
    """Write a country as alpha-2, alpha-3, number, or name, in any case, or as junk."""
    roll = dice.random()
    if roll < 0.6:
        return alpha2
    if roll < 0.94:
        spelling = dice.choice(spellings)
        return dice.choice((spelling, spelling.upper(), f" {spelling.lower()}"))
    return dice.choice((None, "")) if roll < 0.97 else dice.choice(_JUNK_COUNTRIES)


def locale(dice: random.Random, language: str, alpha2: str) -> str | None:
    """Write a language tag as `de-CH`, `de_CH`, `de`, `DE-ch`, or not at all."""
    return dice.choice(
        (f"{language}-{alpha2}",) * 4 + (f"{language}_{alpha2}", language, f"{language.upper()}-ch", None)
    )


def date(dice: random.Random, year: int, month: int, day: int) -> str | None:
    """Write a date as ISO 8601, in the Swiss way, or as junk."""
    roll = dice.random()
    if roll < 0.8:
        return f"{year}-{month:02}-{day:02}"
    if roll < 0.92:
        return f"{day}.{month}.{year}"
    return None if roll < 0.97 else dice.choice(_JUNK_DATES)


def datetime_text(dice: random.Random, year: int, month: int, day: int, second: int) -> str | None:
    """Write a datetime with `Z`, with an offset, or naive, with a `T` or a space; or not at all."""
    clock = f"{second // 3600:02}:{second // 60 % 60:02}"
    return dice.choice(
        (
            f"{year}-{month:02}-{day:02}T{clock}:{second % 60:02}Z",
            f"{year}-{month:02}-{day:02}T{clock}:{second % 60:02}.123+02:00",
            f"{year}-{month:02}-{day:02} {clock}:{second % 60:02}",
            f"{year}-{month:02}-{day:02} {clock}",
            None,
        )
    )


def digits(dice: random.Random, pattern: str) -> str:
    """Replace every `#` by a digit."""
    return "".join(dice.choice("0123456789") if character == "#" else character for character in pattern)


def ascii_letters(value: str) -> str:
    """Return what of a text can stand in a plain address, in lower case, without accents."""
    plain = unicodedata.normalize("NFD", value.lower())
    return "".join(
        character for character in plain if character.isascii() and (character.isalnum() or character in ".-")
    )
