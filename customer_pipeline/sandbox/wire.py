"""The connection under a request, which ASGI does not show: how to end it in the middle."""

from typing import Protocol, runtime_checkable

from starlette.types import Receive, Scope, Send

_TRANSPORT = "customer_pipeline.sandbox.transport"


@runtime_checkable
class _Transport(Protocol):
    def close(self) -> None: ...
    def abort(self) -> None: ...


class NoTransportError(RuntimeError):
    """The server does not show the connection."""


def expose_transport(scope: Scope, send: Send) -> None:
    """Keep the connection of a request in its scope; `send` is uvicorn's own."""
    scope[_TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)


async def hang_up(scope: Scope, receive: Receive, *, flush: bool = False) -> None:
    """Close the connection; what was sent and not yet written is lost unless `flush`.

    Raises:
        NoTransportError: if the server is not uvicorn.
    """
    transport = scope.get(_TRANSPORT)
    if not isinstance(transport, _Transport):
        raise NoTransportError("connections can be cut under uvicorn only; serve the sandbox by its own command")
    if flush:
        transport.close()
    else:
        transport.abort()
    await until_disconnected(receive)


async def until_disconnected(receive: Receive) -> None:
    """Return once the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
