"""The seven pagination styles: where a request wants its page, and how an answer says where the next one is. Pure."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlencode

import orjson

from customer_pipeline.sandbox.query import BadRequestError, Envelope, ListQuery, whole
from customer_pipeline.sandbox.store import Place, Row, Sort, key_of

CURSOR = "cursor"
ANCHOR = "starting_after"
NEXT_HEADER = "X-Next"


class Style(StrEnum):
    """The pagination styles, as they stand in the path."""

    PAGE_NUMBER = "page_number"
    OFFSET = "offset"
    CURSOR = "cursor"
    NEXT_LINK = "next_link"
    LINK_HEADER = "link_header"
    NEXT_HEADER = "next_header"
    LAST_ID = "last_id"


WITH_CURSOR = {Style.CURSOR, Style.NEXT_LINK, Style.LINK_HEADER, Style.NEXT_HEADER}
_IN_BODY = {Style.CURSOR, Style.NEXT_LINK, Style.LAST_ID}


@dataclass(frozen=True, slots=True)
class Signpost:
    """What an answer says beside its records: members of the body, and headers."""

    members: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def check_style(style: Style, listing: ListQuery) -> None:
    """Refuse what cannot be answered.

    Raises:
        BadRequestError: if the style needs members in the body, and the envelope has no room for them.
    """
    if listing.envelope is Envelope.ROOT and (style in _IN_BODY or listing.total):
        raise BadRequestError(f"envelope=root has no room for what {style} (or a total) says in the body")


def place_of(style: Style, query: Mapping[str, str], *, size: int, sort: Sort) -> Place:
    """Return where the page starts that is asked for; the place after an anchor is the store's to know.

    Raises:
        BadRequestError: if the page, offset or cursor is none.
    """
    if style is Style.PAGE_NUMBER:
        return Place(offset=max(whole(query, "page", default=1) - 1, 0) * size)
    if style is Style.OFFSET:
        return Place(offset=whole(query, "offset", default=0))
    if style in WITH_CURSOR and (cursor := query.get(CURSOR)):
        return decode_cursor(cursor, sort)
    return Place()


def next_cursor(query: Mapping[str, str], *, place: Place, page: list[Row], sort: Sort) -> str:
    """Return the cursor behind a page: by value, or with `cursor_kind=offset` a position in disguise."""
    if query.get("cursor_kind") == "offset":
        return _encode(["o", place.offset + len(page)])
    return _encode(["k", *key_of(page[-1], sort)])


def decode_cursor(cursor: str, sort: Sort) -> Place:
    """Return the place that a cursor stands for.

    Raises:
        BadRequestError: if it is not one of ours, or was made for another order.
    """
    try:
        kind, *values = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (binascii.Error, ValueError, TypeError, UnicodeError):
        raise BadRequestError("this is no cursor of this list") from None
    if kind == "o" and len(values) == 1 and isinstance(values[0], int):
        return Place(offset=values[0])
    expected = {Sort.NONE: (int,), Sort.ID: (str,)}.get(sort, (int, str))
    if kind == "k" and tuple(type(value) for value in values) == expected:
        return Place(after=tuple(values))
    raise BadRequestError("this is no cursor of this list")


def _encode(values: list[object]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode("ascii")


def signpost(
    style: Style, query: Mapping[str, str], *, listing: ListQuery, cursor: str | None, total: int | None, url: str
) -> Signpost:
    """Say where the next page is.

    Args:
        style: how.
        query: the request's, which links repeat.
        listing: the request, understood.
        cursor: what leads to the next page; None on the last.
        total: how many records the whole list has, where that was asked for.
        url: the list's address without a query.
    """
    members: dict[str, object] = {} if total is None else {"total": total}
    headers = {} if total is None else {"X-Total-Count": str(total)}
    link = None if cursor is None else next_link(query, cursor=cursor, url=url)
    if style is Style.PAGE_NUMBER:
        members |= {"page": max(whole(query, "page", default=1), 1), "per_page": listing.size}
        if total is not None:
            members["total_pages"] = -(-total // listing.size)
    elif style is Style.OFFSET:
        members |= {"offset": whole(query, "offset", default=0), "limit": listing.size}
    elif style is Style.CURSOR:
        members["next_cursor"] = cursor
    elif style is Style.NEXT_LINK:
        members["next"] = link
    elif style is Style.LAST_ID:
        members["has_more"] = cursor is not None
    elif style is Style.LINK_HEADER:
        headers["Link"] = f'<{url}>; rel="first"' + (f', <{link}>; rel="next"' if link else "")
    elif cursor is not None and link is not None:
        headers[NEXT_HEADER] = cursor if query.get("header_kind") == "cursor" else link
    return Signpost(members, headers)


def next_link(query: Mapping[str, str], *, cursor: str, url: str) -> str:
    """Return the address of the next page; a key in the query is not repeated in it."""
    kept = {name: value for name, value in query.items() if name not in {CURSOR, "api_key"}}
    return f"{url}?{urlencode({**kept, CURSOR: cursor})}"
