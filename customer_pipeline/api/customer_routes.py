"""The endpoints that answer with customers."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

import orjson
from fastapi import Path, Query, Request, Response
from starlette.types import Scope

from customer_pipeline.api import answers, lookups, parameters
from customer_pipeline.api.cursors import LENGTH as CURSOR_LENGTH
from customer_pipeline.api.gate import CUSTOMERS
from customer_pipeline.api.metrics import Metrics
from customer_pipeline.api.paging import page
from customer_pipeline.api.problems import Problem, wrong
from customer_pipeline.api.reading import Cache, Document
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.customers.identity import ID_MAX_LENGTH, usable_id
from customer_pipeline.timestamps import format_instant

USUAL_PAGE = 100
LARGEST_PAGE = 500
_LONGEST_TEXT = 320
_UNKNOWN = "No customer is known by this id."


class CustomerRoutes:
    """Reads customers for the requests that were let in."""

    def __init__(self, cache: Cache, *, keys: CacheKeys, metrics: Metrics) -> None:
        self._cache = cache
        self._keys = keys
        self._metrics = metrics

    async def one(
        self,
        request: Request,
        customer_id: Annotated[
            str, Path(min_length=1, max_length=ID_MAX_LENGTH, description="The customer's id, percent-encoded.")
        ],
    ) -> Response:
        """Read one customer.

        The body is the document as it is in the cache. `ETag` changes with every byte of it; send it as
        `If-None-Match`, and while the customer is the same the answer is 304 without a body. `If-Modified-Since` is
        not looked at: a corrected customer has the `updated_at` of the faulty one.
        """
        if usable_id(customer_id) is None:
            raise Problem(404, _UNKNOWN)
        found = await self._cache.customer(customer_id)
        self._metrics.read(found)
        if found.document:
            return await answers.with_document(request.scope, found.document)
        if found.is_deleted:
            raise Problem(410, "The customer was deleted at the provider.")
        raise Problem(404, _UNKNOWN)

    async def many(
        self,
        request: Request,
        ids: Annotated[
            list[str] | None,
            Query(
                description=f"Ids, separated by commas, at most {parameters.MOST_IDS}; not with the other parameters. "
                "An id that has a comma can be read by its path only."
            ),
        ] = None,
        updated_since: Annotated[
            str | None,
            Query(
                max_length=64,
                description="Only customers whose `updated_at` is this or later; RFC 3339, with an offset.",
            ),
        ] = None,
        cursor: Annotated[
            str | None, Query(max_length=CURSOR_LENGTH, description="`next` of the page before; nothing else.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Customers on a page.")] = USUAL_PAGE,
    ) -> Response:
        """Read the customers of a list of ids, or page by page in the order of `updated_at`.

        With `ids` the customers come in the order of the ids, and `missing` names those that are unknown or deleted.

        Without, pages follow each other by `next`, which is in the header `Link` too, until it is null. Customers that
        do not change meanwhile come exactly once; one who changes moves to the end and is met again there. A page can
        have fewer customers than `limit`, and none.
        """
        _require_known(request, {"ids", "updated_since", "cursor", "limit"})
        if ids is not None:
            if request.query_params.keys() != {"ids"}:
                raise wrong("ids", "cannot be combined with other parameters")
            return await self._batch(request.scope, parameters.ids(ids))
        since = parameters.instant("updated_since", updated_since) if updated_since is not None else None
        after = parameters.cursor(cursor) if cursor is not None else None
        found = await page(self._cache, since=since, after=after, limit=limit)
        headers = []
        if found.cursor:
            query = {"cursor": found.cursor, "limit": str(limit)}
            if since:
                query["updated_since"] = format_instant(since)
            headers.append((b"link", f'<{CUSTOMERS}?{urlencode(query)}>; rel="next"'.encode()))
        body = _listed(found.documents, {"next": found.cursor})
        return await answers.with_json(request.scope, body, headers=headers)

    async def lookup(
        self,
        request: Request,
        email: Annotated[str | None, Query(max_length=_LONGEST_TEXT, description="An e-mail address.")] = None,
        phone: Annotated[
            str | None, Query(max_length=_LONGEST_TEXT, description="A telephone number; international, or `country`.")
        ] = None,
        country: Annotated[
            str | None, Query(max_length=_LONGEST_TEXT, description="Of a `phone` that names none: ISO 3166-1.")
        ] = None,
    ) -> Response:
        """Find the customers who have an e-mail address or a telephone number.

        The value is normalized as those of the customers are: `ada@EXAMPLE.org` finds `ada@example.org`, and
        `044 668 18 00` with the country `CH` finds `+41446681800`. Several customers can share one.
        """
        _require_known(request, {"email", "phone", "country"})
        if (email is None) == (phone is None):
            raise wrong("email", "expected either `email` or `phone`")
        field: lookups.Field = "phone" if email is None else "email"
        if email is None:
            value = parameters.phone_number(phone or "", region=country)
        elif country is None:
            value = parameters.email_address(email)
        else:
            raise wrong("country", "belongs to `phone`")
        found, is_complete = await lookups.find(self._cache, field, value, keys=self._keys)
        return await answers.with_json(request.scope, _listed(found, {"complete": is_complete}))

    async def _batch(self, scope: Scope, ids: Sequence[str]) -> Response:
        usable = [each for each in ids if usable_id(each)]
        found = dict(zip(usable, await self._cache.customers(usable), strict=True))
        for each in found.values():
            self._metrics.read(each)
        documents = {name: each.document for name, each in found.items() if each.document}
        missing = [each for each in ids if each not in documents]
        return await answers.with_json(scope, _listed(list(documents.values()), {"missing": missing}))


def _listed(documents: Sequence[Document], others: dict[str, object]) -> bytes:
    """Join documents into one JSON object, without writing them anew."""
    return b'{"customers":[%s],%s' % (b",".join([each.body for each in documents]), orjson.dumps(others)[1:])


def _require_known(request: Request, names: set[str]) -> None:
    """Return if the query has no other names, and each once: else a part of what was asked would be ignored."""
    unknown = sorted(request.query_params.keys() - names)
    if unknown:
        raise wrong("query", f"has an unknown parameter; known are {', '.join(sorted(names))}")
    given = [name for name, _ in request.query_params.multi_items() if name != "ids"]
    if repeated := [name for name in sorted(names) if given.count(name) > 1]:
        raise wrong(repeated[0], "is given more than once")
