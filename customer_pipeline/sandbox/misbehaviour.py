"""The faults that happen to a whole answer: on the wire, or instead of the application's own."""

import asyncio
import contextlib

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_pipeline.sandbox import wire
from customer_pipeline.sandbox.bad_answers import BAD_ANSWERS
from customer_pipeline.sandbox.faults import Fault, Faults
from customer_pipeline.sandbox.query import BadRequestError, parse_query
from customer_pipeline.sandbox.store import Bounds

CONTROL = "/_sandbox/"
_POLL_SECONDS = 0.05


class Misbehaviour:
    """Lets at most one of these faults strike a request; control requests are spared."""

    def __init__(self, application: ASGIApp, faults: Faults) -> None:
        self._application = application
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or fail to."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self._application(scope, receive, send)
            return
        asked = _bounds(scope)
        if self._faults.strike("down", asked):
            await wire.hang_up(scope, receive)
        elif fault := self._faults.strike("hang", asked):
            await self._hang(fault, scope, receive)
        elif answer := self._bad_answer(scope, asked):
            await answer(scope, receive, send)
        elif fault := self._faults.strike("slow", asked):
            await self._dribble(fault, scope, receive, send)
        elif fault := self._faults.strike("truncated", asked):
            await self._truncate(fault, scope, receive, send)
        else:
            await self._application(scope, receive, send)

    def _bad_answer(self, scope: Scope, asked: Bounds | None) -> ASGIApp | None:
        for name, answer in BAD_ANSWERS.items():
            if fault := self._faults.strike(name, asked):
                return answer(fault, self._faults, scope)
        return None

    async def _hang(self, fault: Fault, scope: Scope, receive: Receive) -> None:
        gone = asyncio.ensure_future(wire.until_disconnected(receive))
        # cancelled when the server stops: this request then ends as any other that hung
        with contextlib.suppress(asyncio.CancelledError):
            while not gone.done() and not self._faults.is_over(fault):
                await asyncio.wait({gone}, timeout=_POLL_SECONDS)
        gone.cancel()
        await wire.hang_up(scope, receive)

    async def _dribble(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(fault.number("seconds", 1.0))
        start, body = await self._answer(scope, receive)
        await send(start)
        step = max(1, -(-len(body) // max(1, int(fault.number("chunks", 10)))))
        for position in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[position : position + step], "more_body": True})
            await asyncio.sleep(fault.number("pause", 0.05))
        await send({"type": "http.response.body"})

    async def _truncate(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        start, body = await self._answer(scope, receive)
        half = body[: len(body) // 2]
        if fault.options.get("kind") == "json":
            kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
            await send({**start, "headers": [*kept, (b"content-length", str(len(half)).encode())]})
            await send({"type": "http.response.body", "body": half})
        else:
            await send(start)
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await wire.hang_up(scope, receive, flush=True)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """Return the application's own answer, whole."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._application(scope, receive, keep)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


def _bounds(scope: Scope) -> Bounds | None:
    """Return what a request for a list is bounded by; None for one that is refused anyway."""
    try:
        return parse_query(QueryParams(scope["query_string"])).bounds
    except BadRequestError:
        return None
