"""Languages to BCP 47 tags."""

import re
from functools import cache

import pycountry

from customer_pipeline.customers.columns import Column, each_distinct

# RFC 5646, without extended language subtags and tags that are only private.
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<rest>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?)"
)

# Withdrawn codes that older Java runtimes still write.
_RENAMED = {"in": "id", "iw": "he", "ji": "yi"}


def languages(texts: Column) -> Column:
    """Return clean texts as BCP 47 tags."""
    return each_distinct(texts, language)


def language(text: str) -> str | None:
    """Return a tag in its usual case and with its shortest language code, or None if it is none.

    `de_ch` and `deu-CH` are `de-CH`. Language, script and region are known ones; what follows is only well-formed.
    Names of languages are not tags.
    """
    match = _TAG.fullmatch(text.replace("_", "-").lower())
    if not match:
        return None
    code = _language_codes().get(match["language"])
    script, region = match["script"], match["region"]
    if not code or (script and not _script_is_known(script)) or (region and not _region_is_known(region)):
        return None
    parts = [code, script and script.title(), region and region.upper()]
    return "-".join(part for part in parts if part) + match["rest"]


@cache
def _language_codes() -> dict[str, str]:
    codes = {entry.alpha_3: getattr(entry, "alpha_2", entry.alpha_3) for entry in pycountry.languages}
    for entry in pycountry.languages:
        codes[getattr(entry, "bibliographic", entry.alpha_3)] = codes[entry.alpha_3]
    return codes | {code: code for code in codes.values()} | _RENAMED


def _script_is_known(script: str) -> bool:
    return pycountry.scripts.get(alpha_4=script.title()) is not None


def _region_is_known(region: str) -> bool:
    """Whether it is a country, a UN M.49 number, or one of XA to XZ, such as XK for Kosovo."""
    return region.isdigit() or region.startswith("x") or pycountry.countries.get(alpha_2=region.upper()) is not None
