"""Where a text that Dagster keeps tells of an id, and where it holds a number of Dagster's own instead."""

import re
from collections.abc import Iterable, Sequence
from typing import AnyStr

from customer_pipeline.erasure.target import forms, is_number, mention

_TOLD = "told"

# `"dagster/priority": "1"`, at any depth of JSON within JSON.
_OWN_TAG = (
    r"""(?P<quote>\\*["'])\.?(?:dagster|customer_pipeline)/[^"'\\]*(?P=quote):\s*"""
    r"""(?P=quote).*?(?<!\\)(?P=quote)"""
)
# `"log_key": ["__repository__", "heal_gaps", "12"]`: the number of a tick.
_LOG_KEY = r"""\\*"log_key\\*":\s*\[[^\]]*\]"""
# An event's metadata of the id of a process.
_PID = r"""\\*"text\\*":\s*\\*"\d+\\*"\},\s*\\*"label\\*":\s*\\*"pid\\*\""""


def written(customer_id: str) -> list[str]:
    """Return how an id may stand in a text that holds JSON within JSON."""
    return list(dict.fromkeys(form for text in forms(customer_id) for form in forms(text)))


def telling(texts: Sequence[str]) -> re.Pattern[str]:
    """Return what finds in a text of Dagster's where an id stands, written as one of `texts`; ask `tells`.

    A number is told from a count where it is a whole string, or in the braces of a key. The value of a tag of Dagster's
    or the pipeline's own, the number of a tick or of a process, and what an image quotes (`x='12'`) are none.
    """
    if not any(map(is_number, texts)):
        return re.compile(f"(?P<{_TOLD}>{'|'.join(mention(text).pattern for text in texts)})")
    numbers = "|".join(map(re.escape, texts))
    whole = rf"""(?<=["'])(?<!=')(?:{numbers})(?=\\*["'])|(?<=:\{{)(?:{numbers})(?=\}})"""
    return re.compile(f"{_OWN_TAG}|{_LOG_KEY}|{_PID}|(?P<{_TOLD}>{whole})")


def tells(found: Iterable[re.Match[AnyStr]]) -> bool:
    """Return whether one of the matches of a pattern of `telling` tells of the id."""
    return any(match[_TOLD] is not None for match in found)
