"""A provider in memory, and an adversary that changes its rows between any two answers.

It stands in for `Transport`: real queries come in, real JSON bodies go through `parse_body`, and nothing is known of
how the walk works. It keeps the contract of a provider: one answer shows the rows of one moment, rows that nobody
touches keep their order among themselves, and an edit stamps the provider's present.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from requests.structures import CaseInsensitiveDict

from customer_pipeline.provider.attempts import Traffic
from customer_pipeline.provider.bodies import parse_body
from customer_pipeline.provider.errors import ProviderRejected, RequestFacts
from customer_pipeline.provider.transport import Answer

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LIST_URL = "http://provider.test/customers"
SECOND = 1_000_000


def microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


@dataclass(frozen=True)
class Row:
    """One customer: `hidden` rows take a place in the list, but are left out of its pages."""

    id: str
    at: int
    edits: int = 0
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What this provider is like.

    Attributes:
        sort: `ascending` or `descending` by time, or by `id`.
        style: the pagination style, as profiles name it.
        cursor: `keyset`, or `offset`: a position in disguise.
        includes_since: whether the lower bound is `>=`, not `>`.
        includes_until: whether the upper bound is `<=`, not `<`.
        sorts: microseconds that the order by time tells apart; rows that it does not are in the order of their ids.
        compares: microseconds that the filter tells apart; 1 compares exactly.
        renders: microseconds that the shown datetimes tell apart.
        largest: the page size that is never exceeded.
        anchor_needed: whether an anchor that is gone is answered with 404, not with what would follow it.
    """

    sort: str
    style: str
    cursor: str
    includes_since: bool = True
    includes_until: bool = False
    sorts: int = 1
    compares: int = 1
    renders: int = 1
    largest: int = 100
    anchor_needed: bool = True


@dataclass
class SimulatedProvider:
    """The stand-in for `Transport`; `adversary` is called before each answer."""

    behaviour: Behaviour
    rows: dict[str, Row]
    now: int
    adversary: Callable[["SimulatedProvider"], None]
    base_url: str = "http://provider.test"
    list_url: str = LIST_URL
    traffic: Traffic = field(default_factory=Traffic)
    touched: set[str] = field(default_factory=set)
    _gone: dict[str, Row] = field(default_factory=dict)

    def edit(self, row_id: str) -> None:
        row = self.rows[row_id]
        self._gone[row_id] = row
        self.rows[row_id] = replace(row, at=self.now, edits=row.edits + 1)
        self.touched.add(row_id)

    def insert(self, row_id: str, at: int) -> None:
        self.rows[row_id] = Row(row_id, at)
        self.touched.add(row_id)

    def delete(self, row_id: str) -> None:
        self._gone[row_id] = self.rows.pop(row_id)
        self.touched.add(row_id)

    def shown(self, row: Row) -> int:
        return row.at // self.behaviour.renders * self.behaviour.renders

    def same_origin(self, _base: str, link: str, _facts: RequestFacts) -> str:
        return link

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Answer:
        self.adversary(self)
        self.traffic.requests += 1
        query = {**dict(parse_qsl(urlsplit(url).query)), **(params or {})}
        facts = RequestFacts(method="GET", url=LIST_URL, status=200, attempts=1, elapsed=timedelta(0), request_id=None)
        rows = self._matching(query)
        size = min(int(query.get("size", "100")), self.behaviour.largest)
        first = self._first(query, rows, size, facts)
        page = rows[first : first + size]
        body, headers = self._answer(query, page, first + size, len(rows))
        text = json.dumps(body)
        return Answer(
            url=url,
            body=parse_body(text.encode(), encoding="utf-8", path="items"),
            headers=CaseInsensitiveDict(headers),
            sent_at=instant(self.now),
            received_at=instant(self.now),
            clock_difference=None,
            facts=facts,
        )

    def _key(self, row: Row) -> tuple[Any, ...]:
        at = row.at // self.behaviour.sorts
        return {"ascending": (at, row.id), "descending": (-at, row.id)}.get(self.behaviour.sort, (row.id,))

    def _matching(self, query: Mapping[str, str]) -> list[Row]:
        unit = self.behaviour.compares
        rows = list(self.rows.values())
        if "since" in query:
            since = bound(query["since"]) - (0 if self.behaviour.includes_since else -1)
            rows = [row for row in rows if row.at // unit * unit >= since]
        if "until" in query:
            until = bound(query["until"]) + (1 if self.behaviour.includes_until else 0)
            rows = [row for row in rows if row.at // unit * unit < until]
        return sorted(rows, key=self._key)

    def _first(self, query: Mapping[str, str], rows: list[Row], size: int, facts: RequestFacts) -> int:
        """Return the position in `rows` of the page that is asked for."""
        if self.behaviour.style == "page_number":
            return (int(query["page"]) - 1) * size
        if self.behaviour.style == "offset":
            return int(query["offset"])
        if anchor := query.get("after"):
            row = self.rows.get(anchor)
            if row is None and self.behaviour.anchor_needed:
                raise ProviderRejected("the provider rejects the request", replace(facts, status=404))
            return self._behind(rows, self._key(row or self._gone[anchor]))
        if cursor := query.get("cursor"):
            kind, *key = json.loads(cursor)
            return int(key[0]) if kind == "offset" else self._behind(rows, tuple(key))
        return 0

    def _behind(self, rows: list[Row], key: tuple[Any, ...]) -> int:
        return sum(self._key(row) <= key for row in rows)

    def _answer(
        self, query: Mapping[str, str], page: list[Row], following: int, total: int
    ) -> tuple[dict[str, Any], dict[str, str]]:
        visible = [row for row in page if not row.hidden]
        body: dict[str, Any] = {
            "items": [{"id": row.id, "at": text(self.shown(row)), "edits": row.edits} for row in visible],
            "total": total,
            "has_more": following < total,
        }
        headers: dict[str, str] = {}
        if following < total and self.behaviour.style not in {"page_number", "offset", "last_id"}:
            place = [following] if self.behaviour.cursor == "offset" else list(self._key(page[-1]))
            cursor = json.dumps([self.behaviour.cursor, *place])
            link = f"{LIST_URL}?{urlencode({**query, 'cursor': cursor})}"
            body["cursor"], body["next"] = cursor, link
            headers = {"Link": f'<{LIST_URL}>; rel="first", <{link}>; rel="next"', "X-Next": link}
        return body, headers


def text(at: int) -> str:
    return instant(at).isoformat()


def bound(sent: str) -> int:
    """Read a bound as this provider does: epoch seconds or milliseconds, or ISO 8601."""
    if sent.isdecimal():
        return int(sent) * (SECOND if len(sent) < 12 else 1000)
    read = datetime.fromisoformat(sent)
    return microseconds(read if read.tzinfo else read.replace(tzinfo=UTC))
