"""Errors as problem documents (RFC 9457): what kinds there are, and how one is written."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

MEDIA_TYPE = "application/problem+json"
KINDS = {
    400: ("bad-request", "The request cannot be understood"),
    401: ("unauthorized", "A valid key is needed"),
    403: ("forbidden", "The key may not do this"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "This service only reads"),
    410: ("deleted", "The customer was deleted"),
    413: ("content-too-large", "Requests have no body here"),
    414: ("uri-too-long", "The address is too long"),
    429: ("too-many-requests", "The key has made too many requests"),
    431: ("headers-too-large", "The headers are too large"),
    500: ("internal", "The service has failed"),
    503: ("unavailable", "The service cannot answer at present"),
}

Headers = list[tuple[bytes, bytes]]


class FieldProblem(BaseModel):
    """What is wrong with one parameter."""

    field: str = Field(description="Name of the parameter or header.")
    message: str = Field(description="What is wrong with it and what is expected.")


class ProblemDocument(BaseModel):
    """A problem document of RFC 9457."""

    type: str = Field(description="Where the kind is explained, relative to this service.")
    title: str = Field(description="The kind, the same each time.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened this time.")
    request_id: str = Field(description="Of `X-Request-Id`: names the request in the service's log.")
    errors: Annotated[list[FieldProblem], Field(description="For 400: each parameter that is wrong.")] = []


class Problem(Exception):  # noqa: N818 -- the word of RFC 9457
    """An answer that is a problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.status = status if status in KINDS else 500
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = tuple(headers)
        super().__init__(detail)


def wrong(field: str, message: str) -> Problem:
    """Return the problem of one parameter that cannot be used; the message does not repeat its value."""
    return Problem(400, f"{field}: {message}", errors=[FieldProblem(field=field, message=message)])


def unavailable() -> Problem:
    """Return the problem that the cache cannot be asked at present."""
    return Problem(503, "The cache cannot be asked at present; try again.", headers=[(b"retry-after", b"1")])


def content(problem: Problem, *, request_id: str) -> dict[str, Any]:
    """Return what the document says."""
    slug, title = KINDS[problem.status]
    said = {
        "type": f"/docs/problems#{slug}",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.errors:
        said["errors"] = [error.model_dump() for error in problem.errors]
    return said


def document(problem: Problem, *, request_id: str) -> bytes:
    """Return the document."""
    return orjson.dumps(content(problem, request_id=request_id))


def phrase(status: int) -> str:
    """Return the reason phrase of a status."""
    return HTTPStatus(status).phrase
