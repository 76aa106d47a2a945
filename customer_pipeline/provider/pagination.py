"""From one page to the next, for each style that a profile can name; no HTTP, no knowledge of windows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from requests.structures import CaseInsensitiveDict

from customer_pipeline.customers.paths import Path
from customer_pipeline.provider import styles

_DIGITS = re.compile("[0-9]{1,18}")
_VALUE = r'(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?'
_PARAMETER = re.compile(rf";\s*([^\s=;,\"]+){_VALUE}")
_LINK = re.compile(r"""[\s,]*<([^>]*)>([^",]*(?:"(?:[^"\\]|\\.)*"[^",]*)*)(?:,|$)""")


class PaginationError(ValueError):
    """An answer that does not say what its style promises; the message quotes nothing of it."""


class LoopError(PaginationError):
    """An answer that leads back to a page that was read already."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How the next page is asked for: more query parameters, or a link instead of the list's URL."""

    params: Mapping[str, str]
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a paginator may look at.

    Attributes:
        document: the parsed body.
        headers: the answer's headers.
        count: records on this page.
        total_count: records on this page and those before it in the same pass.
        last_id: id of the last record, or None.
    """

    document: Any
    headers: CaseInsensitiveDict[str]
    count: int
    total_count: int
    last_id: str | None


class Paginator(Protocol):
    """One pass over a list."""

    def first(self) -> Turn:
        """Return how the first page is asked for."""

    def after(self, page: Arrived) -> Turn | None:
        """Return how the page after `page` is asked for, or None at the end.

        Raises:
            PaginationError: if the answer does not say what the style promises.
        """


def paginator(style: styles.Pagination) -> Paginator:
    """Return a paginator at the beginning of a pass."""
    match style:
        case styles.PageNumber():
            return _PageNumber(style)
        case styles.Offset():
            return _Offset(style)
        case styles.LastId():
            return _LastId(style)
        case _:
            return _Token(style)


def total_of(style: styles.Pagination, document: Any) -> int | None:
    """Return the total that a page states, where the profile says where; null is none.

    Raises:
        PaginationError: if there is no whole number at that place.
    """
    if not style.total or _search(style.total, document) is None:
        return None
    return _whole_number(style.total, document, "pagination.total")


def _whole_number(path: str, document: Any, field: str) -> int:
    found = _search(path, document)
    if isinstance(found, str) and _DIGITS.fullmatch(found):
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise PaginationError(f"there is no whole number at {path!r} ({field})")
    return found


def _size(style: styles.Pagination) -> dict[str, str]:
    return {style.size_param: str(style.size)} if style.size_param else {}


class _Positions:
    """Where a list that is read by position ends.

    A stated total or number of pages ends it only behind a page that is not full: counts may be cached or capped.
    """

    def __init__(self, style: styles.PageNumber | styles.Offset) -> None:
        self._style = style
        self._largest = 0

    def end_after(self, page: Arrived, *, stated: bool | None = None) -> bool:
        """Say whether `page` is the last; `stated` is what a stated number of pages says of it."""
        self._largest = max(self._largest, page.count)
        is_first = page.count == page.total_count
        full = page.count >= self._style.size or (not is_first and page.count == self._largest)
        if stated is not None:
            return stated and not full
        total = total_of(self._style, page.document)
        return (
            page.count == 0
            or (total is not None and page.total_count >= total and not full)
            or (self._style.short_page_is_last and page.count < self._style.size)
        )


class _PageNumber:
    def __init__(self, style: styles.PageNumber) -> None:
        self._style = style
        self._positions = _Positions(style)
        self._number = style.first_page

    def first(self) -> Turn:
        return Turn({**_size(self._style), self._style.page_param: str(self._number)})

    def after(self, page: Arrived) -> Turn | None:
        stated = None
        if path := self._style.total_pages:
            pages = _whole_number(path, page.document, "pagination.total_pages")
            stated = self._number - self._style.first_page + 1 >= pages
        if self._positions.end_after(page, stated=stated):
            return None
        self._number += 1
        return self.first()


class _Offset:
    def __init__(self, style: styles.Offset) -> None:
        self._style = style
        self._positions = _Positions(style)

    def first(self) -> Turn:
        return Turn({**_size(self._style), self._style.offset_param: "0"})

    def after(self, page: Arrived) -> Turn | None:
        if self._positions.end_after(page):
            return None
        return Turn({**_size(self._style), self._style.offset_param: str(page.total_count)})


class _LastId:
    def __init__(self, style: styles.LastId) -> None:
        self._style = style

    def first(self) -> Turn:
        return Turn(_size(self._style))

    def after(self, page: Arrived) -> Turn | None:
        more = _search(self._style.has_more, page.document)
        if not isinstance(more, bool):
            raise PaginationError(f"there is neither true nor false at {self._style.has_more!r} (pagination.has_more)")
        if not more:
            return None
        if page.last_id is None:
            raise PaginationError("there are more records, but the page's last one has no usable id to go on from")
        return Turn({**_size(self._style), self._style.id_param: page.last_id})


class _Token:
    """Cursors and links, in the body or in a header: each page says where the next one is."""

    def __init__(self, style: styles.Cursor | styles.NextLink | styles.LinkHeader | styles.NextHeader) -> None:
        self._style = style
        self._seen: set[str] = set()

    def first(self) -> Turn:
        return Turn(_size(self._style))

    def after(self, page: Arrived) -> Turn | None:
        token = self._token(page)
        if token is None:
            return None
        if token in self._seen:
            raise LoopError("the provider repeats a cursor or next link: its pages go round in a loop")
        self._seen.add(token)
        match self._style:
            case styles.Cursor(cursor_param=param) | styles.NextHeader(cursor_param=str(param)):
                return Turn({**_size(self._style), param: token})
            case _:
                return Turn({}, link=token)

    def _token(self, page: Arrived) -> str | None:
        match self._style:
            case styles.Cursor(cursor=path) | styles.NextLink(link=path):
                found = _search(path, page.document)
            case styles.NextHeader(header=name):
                found = page.headers.get(name)
            case styles.LinkHeader():
                found = _next_link(page.headers.get("Link", ""))
        if found is None or found is False or found == "":
            return None
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise PaginationError(f"the next cursor or link is {type(found).__name__}, neither text nor a number")
        return str(found)


def _next_link(header: str) -> str | None:
    """Return the target with `rel="next"` of a `Link` header, or of several joined by commas (RFC 8288).

    Raises:
        PaginationError: if the header is none.
    """
    header = header.strip(", \t")
    at = 0
    found: str | None = None
    while at < len(header):
        link = _LINK.match(header, at)
        if not link:
            raise PaginationError("the Link header is not of the form <url>; rel=next")
        parameters = {
            name.lower(): (quoted or bare).lower() for name, quoted, bare in reversed(_PARAMETER.findall(link[2]))
        }
        if found is None and "next" in parameters.get("rel", "").split():
            found = link[1].strip()
        at = link.end()
    return found


@cache
def _path(expression: str) -> Path:
    return Path(expression)


def _search(expression: str, document: Any) -> Any:
    return _path(expression)([document])[0]
