"""The provider's endpoints: the list of customers in every style, and one customer."""

from collections.abc import Mapping
from dataclasses import replace

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
    """Answers what the provider is asked; the faults that concern lists are committed here."""

    def __init__(self, world: World, faults: Faults, *, token: str) -> None:
        self._world = world
        self._faults = faults
        self._token = token

    async def many(self, request: Request) -> Response:
        """Answer `GET /{auth}/{style}/customers`."""
        if refusal := self._refusal(request):
            return refusal
        style = Style(request.path_params["style"])
        return self._list(style, request.query_params, url=str(request.url.replace(query="")))

    async def one(self, request: Request) -> Response:
        """Answer `GET /{auth}/{style}/customers/{id}`."""
        if refusal := self._refusal(request):
            return refusal
        listing = parse_query(request.query_params)
        self._world.advance()
        row = self._world.store.find(request.path_params["id"])
        if row is None:
            return failure(404, "not_found", "there is no such customer")
        if row.deleted:
            return failure(410, "deleted", "the customer was deleted")
        return Response(
            render(row, updated=listing.updated, created=listing.created, deletions=listing.deletions),
            media_type="application/json",
        )

    def _refusal(self, request: Request) -> Response | None:
        auth, style = request.path_params["auth"], request.path_params["style"]
        if auth not in set(Auth) or style not in set(Style):
            paths = f"/{'|'.join(Auth)}/{'|'.join(Style)}/customers"
            return failure(404, "not_found", f"the paths are {paths}")
        if not is_allowed(Auth(auth), headers=request.headers, query=request.query_params, token=self._token):
            return failure(401, "unauthorized", "the credentials are missing or wrong")
        return None

    def _list(self, style: Style, query: Mapping[str, str], *, url: str) -> Response:
        listing = parse_query(query)
        pagination.check_style(style, listing)
        self._world.advance()
        asked = listing.bounds
        if self._faults.strike("filter_ignored", asked):
            listing = replace(listing, bounds=Bounds())
        if self._faults.strike("half_200", asked):
            listing = replace(listing, bounds=replace(listing.bounds, every_other=True))
        loop = self._faults.strike("looping_cursor", asked)
        place = self._place(style, query, listing=listing, loop=loop)
        rows = self._page(listing, place, more=1)
        page, more = rows[: listing.size], len(rows) > listing.size
        cursor = pagination.next_cursor(query, place=place, page=page, sort=listing.sort) if page else None
        if loop and loop.options.get("kind") != "restart":
            cursor = query.get(pagination.CURSOR) or cursor
        elif not more:
            cursor = None
        if self._faults.strike("page_repeats", asked):
            page = self._page(listing, Place())
        total = self._world.store.count(listing.bounds) if listing.total else None
        if self._faults.strike("empty_200", asked):
            page, cursor, total = [], None, 0 if listing.total else None
        if foreign := self._faults.strike("foreign_link", asked):
            url = f"{foreign.options.get('to', FOREIGN)}/customers"
        sign = pagination.signpost(style, query, listing=listing, cursor=cursor, total=total, url=url)
        answer = _answer(page, listing, sign)
        if page and (fault := self._faults.strike("edits_during_walk", asked)):
            edits.strike(self._world, fault, style=style, listing=listing, page=page)
        return answer

    def _page(self, listing: ListQuery, place: Place, *, more: int = 0) -> list[Row]:
        return self._world.store.page(listing.bounds, sort=listing.sort, place=place, size=listing.size + more)

    def _place(self, style: Style, query: Mapping[str, str], *, listing: ListQuery, loop: Fault | None) -> Place:
        if loop and (loop.options.get("kind") == "restart" or style not in pagination.WITH_CURSOR):
            return Place()
        if style is Style.LAST_ID and (anchor := query.get(pagination.ANCHOR)):
            row = self._world.store.find(anchor)
            if row is None:
                raise BadRequestError(f"{pagination.ANCHOR} is the id of a customer")
            return Place(after=key_of(row, listing.sort))
        return pagination.place_of(style, query, size=listing.size, sort=listing.sort)


def _answer(page: list[Row], listing: ListQuery, sign: Signpost) -> Response:
    records = b"[%b]" % b",".join(
        render(row, updated=listing.updated, created=listing.created, deletions=listing.deletions) for row in page
    )
    members = b"".join(b",%b:%b" % (orjson.dumps(name), orjson.dumps(value)) for name, value in sign.members.items())
    match listing.envelope:
        case Envelope.ITEMS:
            body = b'{"items":%b%b}' % (records, members)
        case Envelope.DATA_ITEMS:
            body = b'{"data":{"items":%b}%b}' % (records, members)
        case _:
            body = records
    return Response(body, media_type="application/json", headers=sign.headers)
