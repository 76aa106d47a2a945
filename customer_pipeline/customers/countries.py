"""Countries to ISO 3166-1 alpha-2: from codes, and from English names compared without case, accents or punctuation.

Names are never guessed: what is in no table is unusable.
"""

import re
import unicodedata
from functools import cache
from types import MappingProxyType

import pycountry

from customer_pipeline.customers.columns import Column, each_distinct

# Names in daily use that ISO 3166-1 does not list, and the codes UK and EL, which the European Union writes.
ALIASES = MappingProxyType(
    {
        "Bosnia": "BA",
        "Britain": "GB",
        "Brunei": "BN",
        "Burma": "MM",
        "Cape Verde": "CV",
        "Congo-Brazzaville": "CG",
        "Congo-Kinshasa": "CD",
        "DR Congo": "CD",
        "DRC": "CD",
        "East Timor": "TL",
        "EL": "GR",
        "England": "GB",
        "Falkland Islands": "FK",
        "Great Britain": "GB",
        "Holland": "NL",
        "Holy See": "VA",
        "Hong Kong SAR": "HK",
        "Ivory Coast": "CI",
        "Macau": "MO",
        "Macedonia": "MK",
        "Micronesia": "FM",
        "Northern Ireland": "GB",
        "Palestine": "PS",
        "Republic of Ireland": "IE",
        "Republic of the Union of Myanmar": "MM",
        "Russia": "RU",
        "Saint Martin": "MF",
        "Scotland": "GB",
        "Sint Maarten": "SX",
        "Swaziland": "SZ",
        "Turkey": "TR",
        "UAE": "AE",
        "UK": "GB",
        "Vatican": "VA",
        "Vatican City": "VA",
        "Wales": "GB",
    }
)

_DROPPED = re.compile("[.'`\u00b4\u2019\u02bc]")
_NO_WORD = re.compile(r"[\W_]+")
_NUMERIC = re.compile("[0-9]{1,3}")


def countries(texts: Column) -> Column:
    """Return clean texts as alpha-2 codes."""
    return each_distinct(texts, country)


def country(text: str) -> str | None:
    """Return the alpha-2 code that a code or an English name stands for, or None if it is neither."""
    if _NUMERIC.fullmatch(text):
        text = text.zfill(3)
    return _table().get(_key(text))


def _key(name: str) -> str:
    """Return what is left of a name without case, accents, punctuation and a leading article."""
    letters = "".join(mark for mark in unicodedata.normalize("NFKD", name) if not unicodedata.combining(mark))
    words = _NO_WORD.sub(" ", _DROPPED.sub("", letters.replace("&", " and ")).casefold()).split()
    if len(words) > 1 and words[0] == "the":
        del words[0]
    if words and words[0] == "st":
        words[0] = "saint"
    return " ".join(words)


@cache
def _table() -> dict[str, str]:
    return iso_names() | {_key(name): code for name, code in ALIASES.items()}


def iso_names() -> dict[str, str]:
    """Return the alpha-2 code of every code and name that ISO 3166-1 lists, by comparable name.

    Names such as `Korea, Republic of` are listed in their spoken order too.

    Raises:
        RuntimeError: if two countries share a name.
    """
    names: dict[str, str] = {}
    for entry in pycountry.countries:
        listed = {entry.name, getattr(entry, "official_name", entry.name), getattr(entry, "common_name", entry.name)}
        spoken = {" ".join(reversed(name.split(", "))) for name in listed}
        for name in {entry.alpha_2, entry.alpha_3, entry.numeric} | listed | spoken:
            if names.setdefault(_key(name), entry.alpha_2) != entry.alpha_2:
                raise RuntimeError(f"{name!r} stands for two countries in pycountry; leave it out here")
    return names
