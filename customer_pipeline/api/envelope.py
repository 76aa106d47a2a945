"""What lies around every answer: limits, the gate, headers, problem documents, the log and the metrics."""

import asyncio
import logging
import re
import secrets
import time
import traceback
from itertools import count

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from customer_pipeline.api import problems
from customer_pipeline.api.access_log import AccessLog
from customer_pipeline.api.answers import Answer, Header, header, small
from customer_pipeline.api.as_of import AsOf
from customer_pipeline.api.cors import Cors
from customer_pipeline.api.gate import CHANGES, Gate, key_of
from customer_pipeline.api.metrics import Metrics
from customer_pipeline.api.problems import FieldProblem, Problem
from customer_pipeline.cache.errors import CacheError

_LOG = logging.getLogger("customer_pipeline.api")
_TIME_LIMIT_SECONDS = 10.0
_LONGEST_ADDRESS = 8192
_LARGEST_HEADERS = 16_384
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_CSP = b"content-security-policy"
_SECURITY: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"vary", b"authorization"),
]
_STRICT_CSP: Header = (_CSP, b"default-src 'none'; frame-ancestors 'none'")


class Envelope:
    """Wraps the routes; nothing that they raise gets past it."""

    def __init__(self, application: ASGIApp, *, gate: Gate, cors: Cors, as_of: AsOf, metrics: Metrics) -> None:
        self._application = application
        self._gate = gate
        self._cors = cors
        self._as_of = as_of
        self._metrics = metrics
        self._log = AccessLog()
        self._process = secrets.token_hex(8)
        self._numbers = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started = time.perf_counter()
        given = header(scope, b"x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else self._new_id()
        extra: list[Header] = [(b"x-request-id", request_id)]
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], *extra, *self._as_of.headers, *_SECURITY, *self._cors.headers(scope)]
                if not any(name == _CSP for name, _ in headers):
                    headers.append(_STRICT_CSP)
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._serve(scope, receive, stamped, extra)
        except Exception as error:
            problem = _problem(error, request_id.decode())
            if status:
                raise  # the answer has begun: the connection is cut
            await _answer(problem, request_id.decode())(scope, receive, stamped)
        finally:
            self._note(scope, status, time.perf_counter() - started, request_id.decode())

    def refusal(self, problem: Problem) -> tuple[bytes, list[Header]]:
        """Return body and headers of an answer to what is no request."""
        request_id = self._new_id()
        headers = [(b"x-request-id", request_id), *self._as_of.headers, *_SECURITY, _STRICT_CSP]
        return problems.document(problem, request_id=request_id.decode()), headers

    def _new_id(self) -> bytes:
        return f"{self._process}{next(self._numbers):016x}".encode()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, extra: list[Header]) -> None:
        if preflight := self._cors.preflight(scope):
            await preflight(scope, receive, send)
            return
        require_small(scope)
        extra += self._gate.admit(scope)
        if scope["path"] == CHANGES:
            await self._application(scope, receive, send)
            return
        async with asyncio.timeout(_TIME_LIMIT_SECONDS):
            await self._application(scope, receive, send)

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        """Log and count by the route's template: path and query name customers."""
        route = getattr(scope.get("route"), "path_format", "other")
        self._metrics.answered(route, status, None if scope["path"] == CHANGES else seconds)
        key = key_of(scope)
        self._log.note(route, status, seconds=seconds, key_id=key.id if key else "-", request_id=request_id)


def require_small(scope: Scope) -> None:
    """Return if the request is no larger than any that is needed here.

    Raises:
        Problem: 413, 414 or 431.
    """
    if len(scope["raw_path"]) + len(scope["query_string"]) > _LONGEST_ADDRESS:
        raise Problem(414, f"An address has at most {_LONGEST_ADDRESS} bytes.")
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if (name == b"content-length" and value.strip(b"0")) or name == b"transfer-encoding":
            raise Problem(413, "No request here has a body.", headers=[(b"connection", b"close")])
    if size > _LARGEST_HEADERS:
        raise Problem(431, f"The headers have at most {_LARGEST_HEADERS} bytes.")


def _problem(error: Exception, request_id: str) -> Problem:
    match error:
        case Problem():
            return error
        case RequestValidationError():
            found = [FieldProblem(field=str(each["loc"][-1]), message=str(each["msg"])) for each in error.errors()]
            return Problem(400, "; ".join(f"{each.field}: {each.message}" for each in found), errors=found)
        case HTTPException():
            headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
            return Problem(error.status_code, problems.phrase(error.status_code) + ".", headers=headers)
        case CacheError():
            _LOG.warning("request %s: %s", request_id, error)
            return problems.unavailable()
        case TimeoutError():
            _LOG.warning("request %s took too long", request_id)
            return problems.unavailable()
    # Neither its message nor that of its causes: they may quote a customer.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _LOG.error("request %s failed: %s\n%s", request_id, type(error).__name__, frames)
    return Problem(500, "The service has failed; its log has the request's id.")


def _answer(problem: Problem, request_id: str) -> Answer:
    body = problems.document(problem, request_id=request_id)
    return small(problem.status, body, media_type=problems.MEDIA_TYPE.encode(), headers=problem.headers)
