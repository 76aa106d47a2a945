"""What a list request asks for: bounds, order, page size, envelope and forms. Unknown parameters are ignored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from customer_pipeline import timestamps
from customer_pipeline.sandbox.rendering import DatetimeForm, DeletionForm
from customer_pipeline.sandbox.store import Bounds, Sort

DEFAULT_SIZE = 100
LARGEST_SIZE = 500
_SIZE_PARAMETERS = ("per_page", "limit", "page_size")
_FIRST_EPOCH_MILLISECONDS = 100_000_000_000
_COMPARISON = re.compile(r"""\s*(\w+)\s*(>=|<=|>|<|=)\s*(?:'([^']*)'|"([^"]*)"|([0-9]+))\s*""")
_AND = re.compile(r"&&|\bAND\b|\band\b")
_NUMBER = re.compile(r"[0-9]+")


class BadRequestError(ValueError):
    """A request that the sandbox answers with 400; the message says what it expects."""


class Envelope(StrEnum):
    """Where the records are in the body."""

    ITEMS = "items"
    DATA_ITEMS = "data.items"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A list request, understood."""

    bounds: Bounds
    sort: Sort
    size: int
    total: bool
    envelope: Envelope
    updated: DatetimeForm
    created: DatetimeForm
    deletions: DeletionForm


Choice = TypeVar("Choice", bound=StrEnum)


def parse_query(query: Mapping[str, str]) -> ListQuery:
    """Read the parameters that every pagination style shares.

    Raises:
        BadRequestError: if a parameter has no such value.
    """
    updated = _choice(DatetimeForm, query, "datetime_form")
    deletions = _choice(DeletionForm, query, "deletions")
    return ListQuery(
        bounds=replace(_bounds(query), live=deletions is DeletionForm.UNSAID),
        sort=_choice(Sort, query, "sort"),
        size=_size(query),
        total=flag(query.get("total")),
        envelope=_choice(Envelope, query, "envelope"),
        updated=updated,
        created=_choice(DatetimeForm, query, "created_form", default=updated),
        deletions=deletions,
    )


def flag(value: str | None) -> bool:
    """Read a yes-or-no parameter: anything but nothing, `0`, `false` and `no` is yes."""
    return value is not None and value.lower() not in {"", "0", "false", "no"}


def whole(query: Mapping[str, str], name: str, *, default: int) -> int:
    """Read a whole number that is not negative.

    Raises:
        BadRequestError: if it is none.
    """
    value = query.get(name, "")
    if not value:
        return default
    if not _NUMBER.fullmatch(value):
        raise BadRequestError(f"{name} is a whole number")
    return int(value)


def parse_instant(text: str) -> int:
    """Return the microseconds since 1970 of an RFC 3339 text, or of epoch seconds or milliseconds.

    Raises:
        BadRequestError: if it is neither.
    """
    if _NUMBER.fullmatch(text):
        number = int(text)
        return number * (1_000_000 if number < _FIRST_EPOCH_MILLISECONDS else 1000)
    try:
        return timestamps.epoch_microseconds(timestamps.parse_rfc3339(text))
    except (ValueError, OverflowError) as error:
        raise BadRequestError("a datetime is RFC 3339, or epoch seconds or milliseconds") from error


def _bounds(query: Mapping[str, str]) -> Bounds:
    bounds = Bounds()
    if text := query.get("updated_from"):
        bounds = _narrowed(bounds, ">=", parse_instant(text))
    if text := query.get("updated_to"):
        bounds = _narrowed(bounds, "<", parse_instant(text))
    for comparison in _AND.split(query.get("filter", "")) if query.get("filter") else ():
        match = _COMPARISON.fullmatch(comparison)
        if not match or match[1] != "updated_at":
            raise BadRequestError("filter is updated_at >= '...' && updated_at < '...'")
        bounds = _narrowed(bounds, match[2], parse_instant(match[3] or match[4] or match[5] or ""))
    return bounds


def _narrowed(bounds: Bounds, operator: str, instant: int) -> Bounds:
    since, until = bounds.since, bounds.until
    if operator in {">=", ">", "="}:
        lower = instant + (operator == ">")
        since = lower if since is None else max(since, lower)
    if operator in {"<", "<=", "="}:
        upper = instant + (operator != "<")
        until = upper if until is None else min(until, upper)
    return Bounds(since, until)


def _size(query: Mapping[str, str]) -> int:
    """Clamp the page size without a word, as many servers do."""
    for name in _SIZE_PARAMETERS:
        if name in query:
            return min(max(whole(query, name, default=DEFAULT_SIZE), 1), LARGEST_SIZE)
    return DEFAULT_SIZE


def _choice(choices: type[Choice], query: Mapping[str, str], name: str, *, default: Choice | None = None) -> Choice:
    value = query.get(name)
    if value is None:
        return default or next(iter(choices))
    try:
        return choices(value)
    except ValueError as error:
        raise BadRequestError(f"{name} is one of {', '.join(choices)}") from error
