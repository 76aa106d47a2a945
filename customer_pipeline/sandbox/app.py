"""The sandbox as an ASGI application: routes, and what lies around every answer."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_pipeline import timestamps
from customer_pipeline.sandbox import wire
from customer_pipeline.sandbox.answers import HANDLERS
from customer_pipeline.sandbox.backstage import Backstage
from customer_pipeline.sandbox.faults import Faults
from customer_pipeline.sandbox.listing import Listing
from customer_pipeline.sandbox.misbehaviour import Misbehaviour
from customer_pipeline.sandbox.store import Store
from customer_pipeline.sandbox.world import Settings, World

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 -- guards invented data only


def create_app(
    settings: Settings | None = None,
    *,
    state: str = ":memory:",
    token: str = DEFAULT_TOKEN,
    clock: Callable[[], datetime] = timestamps.now,
) -> ASGIApp:
    """Build the application, with its customers, ready to serve.

    Args:
        settings: what a new world is made of; the defaults, when left out.
        state: SQLite file to keep and continue from, or `:memory:`.
        token: the secret of every way of authentication; with basic, the user is `sandbox`.
        clock: tells the provider's time.
    """
    faults = Faults(clock=clock)
    store = Store(state)
    world = World(store, settings or Settings(), clock=faults.clock)
    listing = Listing(world, faults, token=token)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    application = Starlette(
        routes=[
            *Backstage(world, faults).routes(),
            Route("/{auth}/{style}/customers", listing.many),
            Route("/{auth}/{style}/customers/{id:path}", listing.one),
        ],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    return Stamped(Misbehaviour(application, faults), faults)


class Stamped:
    """Puts `Date` and `X-Request-Id` on every answer; the server's own `Date` must be off, see `server.py`."""

    def __init__(self, application: ASGIApp, faults: Faults) -> None:
        self._application = application
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        wire.expose_transport(scope, send)

        async def stamp(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = timestamps.format_http_date(self._faults.clock())
                stamps = [(b"date", date.encode()), (b"x-request-id", f"req_{uuid.uuid4().hex}".encode())]
                message = {**message, "headers": [*message["headers"], *stamps]}
            await send(message)

        await self._application(scope, receive, stamp)
