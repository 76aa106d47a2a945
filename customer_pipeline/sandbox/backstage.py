"""The control endpoints below `/_sandbox/`: faults, the truth, and changes by hand. They ask for no credentials."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from customer_pipeline import timestamps
from customer_pipeline.sandbox import edits
from customer_pipeline.sandbox.faults import Faults
from customer_pipeline.sandbox.query import BadRequestError, flag, parse_instant, whole
from customer_pipeline.sandbox.rendering import DatetimeForm, render
from customer_pipeline.sandbox.store import Bounds, Place, Row, Sort
from customer_pipeline.sandbox.world import World

_BATCH = 1000


class Backstage:
    """What the audience does not see."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults

    def routes(self) -> list[Route]:
        """Return the control endpoints."""
        table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/_sandbox/faults", self.list_faults),
            ("DELETE", "/_sandbox/faults", self.clear),
            ("POST", "/_sandbox/faults/{name:path}", self.switch_on),
            ("DELETE", "/_sandbox/faults/{name:path}", self.clear),
            ("GET", "/_sandbox/state", self.state),
            ("POST", "/_sandbox/pause", self.pause),
            ("POST", "/_sandbox/resume", self.resume),
            ("GET", "/_sandbox/customers", self.truth),
            ("POST", "/_sandbox/customers", self.create),
            ("PUT", "/_sandbox/customers/{id:path}", self.edit),
            ("DELETE", "/_sandbox/customers/{id:path}", self.delete),
        ]
        return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]

    async def list_faults(self, _: Request) -> Response:
        """Answer the faults that are switched on."""
        return JSONResponse({"faults": [fault.described() for fault in self._faults.all_active()]})

    async def switch_on(self, request: Request) -> Response:
        """Switch a fault on; `for`, `probability`, `after`, `times` and its options are in the query."""
        return JSONResponse(self._faults.switch_on(request.path_params["name"], request.query_params).described())

    async def clear(self, request: Request) -> Response:
        """Switch one fault off, or all."""
        self._faults.clear(request.path_params.get("name"))
        return Response(status_code=204)

    async def state(self, _: Request) -> Response:
        """Answer counts and clock."""
        self._world.advance()
        store = self._world.store
        return JSONResponse(
            {
                "customers": store.count(),
                "deleted": store.count_deleted(),
                "changes": self._world.changes,
                "paused": self._world.paused,
                "now": timestamps.format_instant(self._world.clock()),
                "faults": [fault.name for fault in self._faults.all_active()],
            }
        )

    async def pause(self, request: Request) -> Response:
        """Let time pass without changes, so that a comparison is exact."""
        self._world.pause()
        return await self.state(request)

    async def resume(self, request: Request) -> Response:
        """Let changes happen again."""
        self._world.resume()
        return await self.state(request)

    async def truth(self, request: Request) -> Response:
        """Stream every customer as one line of JSON, deleted ones too, in order of creation; exact while paused."""
        self._world.advance()
        return StreamingResponse(
            self._lines(whole(request.query_params, "cursor", default=0)), media_type="application/x-ndjson"
        )

    async def create(self, request: Request) -> Response:
        """Add the body's record; `updated_at` in the query is its place in the list."""
        self._world.advance()
        row = edits.create(self._world, await _json(request), updated_at=_instant(request))
        return Response(_line(row), status_code=201, media_type="application/json")

    async def edit(self, request: Request) -> Response:
        """Apply the body, a JSON merge patch; `updated_at` in the query is when."""
        self._world.advance()
        patch = await _json(request)
        if not isinstance(patch, dict):
            raise BadRequestError("a merge patch is a JSON object")
        row = edits.edit(self._world, request.path_params["id"], patch, updated_at=_instant(request))
        return Response(_line(row), media_type="application/json")

    async def delete(self, request: Request) -> Response:
        """Leave a tombstone; with `hard=1` nothing."""
        self._world.advance()
        edits.delete(self._world, request.path_params["id"], hard=flag(request.query_params.get("hard")))
        return Response(status_code=204)

    async def _lines(self, seq: int) -> AsyncIterator[bytes]:
        while rows := self._world.store.page(Bounds(), sort=Sort.NONE, place=Place(after=(seq,)), size=_BATCH):
            seq = rows[-1].seq
            yield b"".join(map(_line, rows))


def _line(row: Row) -> bytes:
    """Return a customer as it is, with its exact instants, and as the list would serve it."""
    truth = {
        "seq": row.seq,
        "id": row.id,
        "updated_at": timestamps.format_instant(timestamps.from_epoch_microseconds(row.updated_at)),
        "created_at": timestamps.format_instant(timestamps.from_epoch_microseconds(row.created_at)),
        "deleted": row.deleted,
        "verbatim": row.verbatim,
        "record": orjson.Fragment(render(row, updated=DatetimeForm.RFC3339, created=DatetimeForm.RFC3339)),
    }
    return orjson.dumps(truth, option=orjson.OPT_APPEND_NEWLINE)


async def _json(request: Request) -> Any:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise BadRequestError("the body is JSON") from error


def _instant(request: Request) -> int | None:
    text = request.query_params.get("updated_at")
    return None if text is None else parse_instant(text)
