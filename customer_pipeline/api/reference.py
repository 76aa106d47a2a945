"""The specification (OpenAPI 3.1): the routes, the one customer model, and an example of each answer."""

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from customer_pipeline.api.gate import HEALTH, scope_of
from customer_pipeline.api.models import Batch, Change, Found, FreshnessDocument, Health, Page
from customer_pipeline.api.problems import ProblemDocument
from customer_pipeline.api.responses import HEADERS, RESPONSES
from customer_pipeline.customers.model import CustomerDocument

_DESCRIPTION = """\
Customers as the provider has them, read-only. Datetimes have the form `2026-11-23T07:50:00.000000Z`; absent is `null`.

Send your key as `Authorization: Bearer ck_...`. Every error is a problem document (RFC 9457). Every answer says in
`Customers-As-Of` up to when it is complete, and in `Customers-Stale: true` that this lies far back; it is given all the
same.
"""
_TAGS = [
    {"name": "customers", "description": "Read customers."},
    {"name": "changes", "description": "Hear when customers change, and see how new they are."},
    {"name": "service", "description": "Watch the service."},
]
_MODELS: tuple[type[BaseModel], ...] = (
    CustomerDocument,
    Batch,
    Page,
    Found,
    Change,
    FreshnessDocument,
    Health,
    ProblemDocument,
)
_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of `customer-pipeline api-key create`. Its scopes are read, lookup, changes and metrics.",
    }
}


def specification(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Return the specification of the documented routes."""
    found = get_openapi(
        title="Customers",
        version=importlib.metadata.version("customer-pipeline"),
        summary="Read customers, find them, and hear when they change.",
        description=_DESCRIPTION,
        routes=routes,
        tags=_TAGS,
        servers=[{"url": "/"}],
    )
    _, schemas = models_json_schema(
        [(model, "serialization") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    found["components"] = {"schemas": schemas["$defs"], "headers": HEADERS, "securitySchemes": _SCHEMES}
    for path, operations in found["paths"].items():
        _complete(path, operations["get"])
    return found


def _complete(path: str, operation: dict[str, Any]) -> None:
    # Put in here, since FastAPI leaves null out of examples.
    operation["responses"] = RESPONSES[operation["operationId"]]
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])
        if parameter["name"] == "ids":
            parameter |= {"style": "form", "explode": False}
        if parameter["name"] == "last-event-id":
            parameter["name"] = "Last-Event-ID"
    if path not in HEALTH:
        scope = scope_of(path)
        operation["security"] = [{"key": [scope.value] if scope else []}]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a parameter is where it is given: no address can hold null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return {**{name: value for name, value in schema.items() if name != "anyOf"}, **kinds[0]} if kinds else schema
