"""The shape of the sandbox's error answers, and which error is answered with which."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from customer_pipeline.sandbox.edits import IdTakenError, UnknownCustomerError
from customer_pipeline.sandbox.faults import UnknownFaultError
from customer_pipeline.sandbox.query import BadRequestError


def failure(status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error as the provider words it."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=headers)


def _handler(status: int, code: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(_: Request, error: Exception) -> Response:
        return failure(status, code, str(error))

    return handle


HANDLERS = {
    BadRequestError: _handler(400, "bad_request"),
    UnknownCustomerError: _handler(404, "not_found"),
    UnknownFaultError: _handler(404, "unknown_fault"),
    IdTakenError: _handler(409, "id_taken"),
}
