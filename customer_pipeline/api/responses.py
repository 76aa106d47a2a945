"""What each route can answer, with an example: for the reference. By the name of its endpoint."""

from collections.abc import Iterable
from typing import Any

from customer_pipeline.api import examples, problems
from customer_pipeline.api.problems import Problem

_NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-Id": ("Names the request in the service's log; one that was sent is kept.", {}),
    "Customers-As-Of": (
        "The cache is complete up to here; left out while nothing was published.",
        {"format": "date-time", "pattern": r"^[0-9T:-]{19}\.[0-9]{6}Z$"},
    ),
    "Customers-Stale": ("`true` while that lies far back.", {"const": "true"}),
    "RateLimit-Policy": ("How many requests the key may make, in how many seconds.", {}),
    "RateLimit": ("How many of them are left, and in how many seconds more are possible.", {}),
    "ETag": ("The document's version and a hash of its bytes.", {"pattern": '^".*"$'}),
    "Last-Modified": ("`updated_at`, as HTTP writes it.", {}),
    "Link": ('The next page, `rel="next"`; left out on the last one.', {}),
    "Retry-After": ("Seconds.", {"pattern": "^[0-9]+$"}),
    "WWW-Authenticate": ("What kind of key is needed.", {}),
}
HEADERS = {
    name: {"description": description, "schema": {"type": "string", **schema}}
    for name, (description, schema) in _NAMES.items()
}
_EVERYWHERE = ("X-Request-Id", "Customers-As-Of", "Customers-Stale")
_LIMITS = ("RateLimit-Policy", "RateLimit")
_OF_STATUS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate", *_LIMITS),
    429: ("Retry-After", *_LIMITS),
    503: ("Retry-After", *_LIMITS),
}
_ANYWHERE = (413, 414, 431, 500)


def _content(schema: dict[str, Any], example: Any, media_type: str = "application/json") -> dict[str, Any]:
    return {media_type: {"schema": schema, "example": example}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(status: int, *, limited: bool = True) -> dict[str, Any]:
    found = Problem(status, examples.PROBLEMS[status])
    example = problems.content(found, request_id=examples.REQUEST_ID)
    names = [*_EVERYWHERE, *_OF_STATUS.get(status, ())]
    return {
        "description": problems.KINDS[status][1] + ".",
        "headers": _headers(name for name in names if limited or name not in _LIMITS),
        "content": _content(_ref("ProblemDocument"), example, problems.MEDIA_TYPE),
    }


def _found(content: dict[str, Any], *headers: str, limited: bool = True) -> dict[str, Any]:
    names = [*_EVERYWHERE, *(_LIMITS if limited else ()), *headers]
    return {"description": "Found.", "headers": _headers(names), "content": content}


def _responses(
    found: dict[str, Any], *failures: int, open_to_all: bool = False, same: bool = False
) -> dict[str, dict[str, Any]]:
    """Return what a route can answer; `same` is whether it can be that the client has it."""
    responses = {"200": found}
    if same:
        names = [*_EVERYWHERE, *_LIMITS, "ETag", "Last-Modified"]
        responses["304"] = {"description": "The client has it.", "headers": _headers(names)}
    with_key = () if open_to_all else (401, 403, 429)
    responses |= {
        str(status): _problem(status, limited=not open_to_all) for status in sorted({*failures, *with_key, *_ANYWHERE})
    }
    return responses


_LISTS = {
    "application/json": {
        "schema": {"anyOf": [_ref("Batch"), _ref("Page")]},
        "examples": {
            "page": {"summary": "A page", "value": examples.PAGE},
            "batch": {"summary": "The customers of `ids`", "value": examples.BATCH},
        },
    }
}
_TEXT = {"type": "string"}
RESPONSES: dict[str, dict[str, dict[str, Any]]] = {
    "one": _responses(
        _found(_content(_ref("CustomerDocument"), examples.CUSTOMER), "ETag", "Last-Modified"),
        *(404, 410, 503),
        same=True,
    ),
    "many": _responses(_found(_LISTS, "Link"), 400, 503),
    "lookup": _responses(_found(_content(_ref("Found"), examples.LOOKUP)), 400, 503),
    "changes": _responses(_found(_content(_TEXT, examples.CHANGES, "text/event-stream")), 400, 503),
    "freshness": _responses(_found(_content(_ref("FreshnessDocument"), examples.FRESHNESS)), 503),
    "healthz": _responses(_found(_content(_ref("Health"), {"status": "ok"}), limited=False), open_to_all=True),
    "readyz": _responses(_found(_content(_ref("Health"), {"status": "ready"}), limited=False), 503, open_to_all=True),
    "metrics": _responses(_found(_content(_TEXT, examples.METRICS, "text/plain"))),
}
