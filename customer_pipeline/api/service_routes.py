"""The endpoints that tell about the service and its cache."""

from typing import Annotated, Any

import orjson
from fastapi import Header, Request, Response

from customer_pipeline.api import answers, metrics
from customer_pipeline.api.as_of import AsOf
from customer_pipeline.api.gate import Gate
from customer_pipeline.api.problems import Problem
from customer_pipeline.api.reading import Cache
from customer_pipeline.api.streams import Streams

_HEALTHY = orjson.dumps({"status": "ok"})
_READY = orjson.dumps({"status": "ready"})
_NOTHING: dict[str, Any] = {"as_of": None, "latest": None, "gaps": [], "stale_since": None, "published_at": None}


class ServiceRoutes:
    """What is asked by machines that watch, and by pages that show how new their customers are."""

    def __init__(self, cache: Cache, *, gate: Gate, as_of: AsOf, numbers: metrics.Metrics, streams: Streams) -> None:
        self._cache = cache
        self._gate = gate
        self._as_of = as_of
        self._numbers = numbers
        self._streams = streams

    async def changes(
        self,
        request: Request,
        last_event_id: Annotated[
            str | None, Header(description="The `id` of the last event that was received; browsers send it themselves.")
        ] = None,
    ) -> Response:
        """Listen to the changes of customers, as server-sent events.

        The first event is `ready`; then each change is `changed` or `deleted`, and its data is a `Change`: the
        customer's id and version, and nothing else of it. With `Last-Event-ID` the stream goes on after that event.
        Where that is impossible, because the cache was lost or the event is too old, the first event is `reset`: load
        everything anew, and go on listening. A change can come twice. A comment comes every 15 seconds.
        """
        del last_event_id  # the stream reads it
        return await self._streams.open(request.scope)

    async def freshness(self, request: Request) -> Response:
        """Read how far the cache is true to the provider."""
        known = await self._cache.freshness()
        content = orjson.loads(known.dump()) if known else _NOTHING
        body = orjson.dumps({**content, "stale": self._as_of.is_stale(known)})
        return await answers.with_json(request.scope, body)

    async def healthz(self) -> Response:
        """Say that the process runs."""
        return answers.small(200, _HEALTHY)

    async def readyz(self) -> Response:
        """Say whether customers can be read: the cache answers, and there is a key."""
        await self._cache.ping()
        if not self._gate.has_keys:
            raise Problem(503, "There is no key: customer-pipeline api-key create NAME.")
        return answers.small(200, _READY)

    async def metrics(self) -> Response:
        """Read the metrics, in Prometheus's text format."""
        return answers.small(200, self._numbers.text(self._as_of.freshness), media_type=metrics.MEDIA_TYPE)
