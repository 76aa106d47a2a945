"""The application: its parts, its routes, and what runs beside them."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from customer_pipeline.api import gate as paths
from customer_pipeline.api import pages, reference
from customer_pipeline.api.as_of import AsOf
from customer_pipeline.api.changes import Changes
from customer_pipeline.api.connection import Connection
from customer_pipeline.api.cors import Cors
from customer_pipeline.api.customer_routes import CustomerRoutes
from customer_pipeline.api.envelope import Envelope
from customer_pipeline.api.gate import Gate
from customer_pipeline.api.key_file import KeyFile
from customer_pipeline.api.limits import RateLimit
from customer_pipeline.api.metrics import Metrics
from customer_pipeline.api.reading import Cache
from customer_pipeline.api.service_routes import ServiceRoutes
from customer_pipeline.api.settings import ApiSettings
from customer_pipeline.api.streams import Streams
from customer_pipeline.cache.keys import CacheKeys


class Checked(APIRoute):
    """A route whose parameters FastAPI checks."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # FastAPI's own stack is not in use: the envelope does what else it does.
        self.app = AsyncExitStackMiddleware(self.app)


class Direct(APIRoute):
    """A route whose one parameter goes to its endpoint as it is: checking it takes longer than all else."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            answer = await endpoint(Request(scope, receive), *scope["path_params"].values())
            await answer(scope, receive, send)

        self.app = serve


class Api(FastAPI):
    """The API of one cache.

    Attributes:
        changes: the stream that every listener hears; closed before the server ends.
        envelope: what lies around every answer.
    """

    def __init__(self, settings: ApiSettings) -> None:
        keys = CacheKeys(settings.prefix)
        self._connections = [Connection(settings.redis_url), Connection(settings.redis_url, blocks=True)]
        connection, blocking = self._connections
        cache = Cache(connection, keys)
        metrics = Metrics()
        gate = Gate(KeyFile(settings.keys_file), RateLimit(settings.requests_per_minute))
        self._as_of = AsOf(cache, stale_after=settings.stale_after)
        self.changes = Changes(stream=keys.changes, connection=connection, blocking=blocking)
        streams = Streams(self.changes, gate=gate, metrics=metrics, most=settings.streams)
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=_lifespan)
        self.envelope = Envelope(
            self.router, gate=gate, cors=Cors(settings.cors_origins), as_of=self._as_of, metrics=metrics
        )
        self.router.route_class = Checked
        customers = CustomerRoutes(cache, keys=keys, metrics=metrics)
        service = ServiceRoutes(cache, gate=gate, as_of=self._as_of, numbers=metrics, streams=streams)
        add_routes(self.router, customers, service)
        pages.add_to(self.router, specification=self.openapi)

    def openapi(self) -> dict[str, Any]:
        """Return the specification."""
        if not self.openapi_schema:
            self.openapi_schema = reference.specification(self.routes)
        return self.openapi_schema

    def build_middleware_stack(self) -> ASGIApp:
        """Return what answers: the routes in their envelope."""
        return self.envelope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; FastAPI would look first whether somebody traces it."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.envelope(scope, receive, send)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep up with the cache."""
        tasks = [asyncio.create_task(self._as_of.keep()), asyncio.create_task(self.changes.keep())]
        try:
            yield
        finally:
            self.changes.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for connection in self._connections:
                await connection.close()


@contextlib.asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    if isinstance(application, Api):
        async with application.running():
            yield


def add_routes(router: APIRouter, customers: CustomerRoutes, service: ServiceRoutes) -> None:
    """Add the endpoints to a router, with what the reference says of them."""
    endpoints: Sequence[tuple[str, str, Callable[..., Any]]] = (
        ("customers", paths.LOOKUP, customers.lookup),
        ("customers", f"{paths.CUSTOMERS}/{{customer_id:path}}", customers.one),
        ("customers", paths.CUSTOMERS, customers.many),
        ("changes", paths.CHANGES, service.changes),
        ("changes", paths.FRESHNESS, service.freshness),
        ("service", "/healthz", service.healthz),
        ("service", "/readyz", service.readyz),
        ("service", paths.METRICS, service.metrics),
    )
    for tag, path, endpoint in endpoints:
        summary, _, description = inspect.cleandoc(endpoint.__doc__ or "").partition("\n")
        router.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            operation_id=endpoint.__name__,
            response_class=Response,
            route_class_override=Direct if endpoint == customers.one else None,
            tags=[tag],
            summary=summary.rstrip("."),
            description=description.strip(),
        )
