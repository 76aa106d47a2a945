"""The provider's endpoints: the list of customers in every style, and one customer."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

import orjson
from starlette.requests import Request
from starlette.responses import Response

from customer_pipeline.sandbox import edits, pagination
from customer_pipeline.sandbox.answers import failure
from customer_pipeline.sandbox.auth import Auth, is_allowed
from customer_pipeline.sandbox.faults import FOREIGN, Fault, Faults
from customer_pipeline.sandbox.pagination import Signpost, Style
from customer_pipeline.sandbox.query import BadRequestError, Envelope, ListQuery, parse_query
from customer_pipeline.sandbox.rendering import render
from customer_pipeline.sandbox.store import Bounds, Place, Row, key_of
from customer_pipeline.sandbox.world import World


class Listing:
    """Answers list requests; the faults that concern lists are its to commit."""

    def __init__(self, world: World, faults: Faults, *, token: str) -> None:
        self._world = world
        self._faults = faults
        self._token = token

    async def many(self, request: Request) -> Response:
        """Answer `GET /{auth}/{style}/customers`."""
        if refusal := self._refusal(request):
            return refusal
        try:
            style = Style(request.path_params["style"])
        except ValueError:
            return failure(404, "unknown_style", f"the style is one of {', '.join(Style)}")
        try:
            return self._list(style, request.query_params, url=str(request.url.replace(query="")))
        except BadRequestError as error:
            return failure(400, "bad_request", str(error))

    async def one(self, request: Request) -> Response:
        """Answer `GET /{auth}/{style}/customers/{id}`."""
        if refusal := self._refusal(request):
            return refusal
        self._world.advance()
        row = self._world.store.find(request.path_params["id"])
        if row is None:
            return failure(404, "not_found", "there is no such customer")
        if row.deleted:
            return failure(410, "deleted", "the customer was deleted")
        listing = parse_query(request.query_params)
        return Response(render(row, updated=listing.updated, created=listing.created), media_type="application/json")

    def _refusal(self, request: Request) -> Response | None:
        try:
            auth = Auth(request.path_params["auth"])
        except ValueError:
            return failure(404, "unknown_auth", f"the way of authentication is one of {', '.join(Auth)}")
        if is_allowed(auth, headers=request.headers, query=request.query_params, token=self._token):
            return None
        return failure(401, "unauthorized", "the credentials are missing or wrong")

    def _list(self, style: Style, query: Mapping[str, str], *, url: str) -> Response:
        listing = parse_query(query)
        pagination.check_style(style, listing)
        self._world.advance()
        if self._faults.strike("filter_ignored"):
            listing = replace(listing, bounds=Bounds())
        loop = self._faults.strike("looping_cursor")
        place = self._place(style, query, listing, loop)
        rows = self._page(listing, place, more=1)
        page, more = rows[: listing.size], len(rows) > listing.size
        cursor = pagination.next_cursor(query, place=place, page=page, sort=listing.sort) if more else None
        if loop and page:
            cursor = query.get(pagination.CURSOR) or cursor or "again"
        if self._faults.strike("page_repeats"):
            page = self._page(listing, Place())
        if self._faults.strike("empty_200"):
            page, cursor = [], None
        total = self._world.store.count(listing.bounds) if listing.total else None
        foreign = self._faults.strike("foreign_link")
        shown = url if foreign is None else f"{foreign.options.get('to', FOREIGN)}/customers"
        sign = pagination.signpost(style, query, listing=listing, cursor=cursor, total=total, url=shown)
        answer = _answer(page, listing, sign)
        if page and (fault := self._faults.active("edits_during_walk")):
            edits.strike(self._world, self._faults, fault, style=style, listing=listing, page=page)
        return answer

    def _page(self, listing: ListQuery, place: Place, *, more: int = 0) -> list[Row]:
        return self._world.store.page(listing.bounds, sort=listing.sort, place=place, size=listing.size + more)

    def _place(self, style: Style, query: Mapping[str, str], listing: ListQuery, loop: Fault | None) -> Place:
        if loop and (loop.options.get("kind") == "restart" or style not in pagination.WITH_CURSOR):
            return Place()
        if style is Style.LAST_ID and (anchor := query.get(pagination.ANCHOR)):
            row = self._world.store.find(anchor)
            if row is None:
                raise BadRequestError(f"{pagination.ANCHOR} is the id of a customer")
            return Place(after=key_of(row, listing.sort))
        return pagination.place_of(style, query, size=listing.size, sort=listing.sort)


def _answer(page: list[Row], listing: ListQuery, sign: Signpost) -> Response:
    records = b"[%b]" % b",".join(render(row, updated=listing.updated, created=listing.created) for row in page)
    if listing.envelope is Envelope.ROOT:
        body = records
    else:
        opening = b'{"data":{"items":%b}' if listing.envelope is Envelope.DATA_ITEMS else b'{"items":%b'
        members = (b",%b:%b" % (orjson.dumps(name), orjson.dumps(value)) for name, value in sign.members.items())
        body = b"".join(chain([opening % records], members, [b"}"]))
    return Response(body, media_type="application/json", headers=sign.headers)
