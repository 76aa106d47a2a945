"""The pages of the reference: Swagger UI from files of this machine, the specification, and the kinds of problems."""

import html
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from customer_pipeline.api import answers, problems
from customer_pipeline.api.answers import Answer
from customer_pipeline.api.gate import REFERENCE, SPECIFICATION
from customer_pipeline.api.problems import Problem

_FILES = {
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "swagger-ui.css": b"text/css; charset=utf-8",
    "favicon.png": b"image/png",
}
_START = b"""\
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", deepLinking: true, persistAuthorization: false });
"""
_HTML = b"text/html; charset=utf-8"
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_CSP = (b"content-security-policy", _POLICY)
_KEPT = (b"cache-control", b"private, max-age=3600")
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>{head}</head>
<body>{body}</body>
</html>
"""
_REFERENCE = _PAGE.format(
    title="Customers: the reference",
    head='<link rel="icon" href="/docs/favicon.png"><link rel="stylesheet" href="/docs/swagger-ui.css">',
    body='<div id="reference"></div><script src="/docs/swagger-ui-bundle.js"></script>'
    '<script src="/docs/start.js"></script>',
)


def add_to(router: APIRouter, *, specification: Callable[[], dict[str, Any]]) -> None:
    """Add the pages to a router; they are not in the specification themselves."""

    async def show_specification(request: Request) -> Response:
        return await answers.with_json(request.scope, orjson.dumps(specification()))

    async def show_reference() -> Response:
        return _kept(_REFERENCE.encode(), _HTML)

    async def show_problems() -> Response:
        return _kept(_problems().encode(), _HTML)

    async def show_file(name: str) -> Response:
        if name == "start.js":
            return _kept(_START, _FILES["swagger-ui-bundle.js"])
        if name not in _FILES:
            raise Problem(404, "The reference has no such file.")
        return _kept(_file(name), _FILES[name])

    endpoints: Mapping[str, Callable[..., Any]] = {
        SPECIFICATION: show_specification,
        REFERENCE: show_reference,
        f"{REFERENCE}/problems": show_problems,
        f"{REFERENCE}/{{name}}": show_file,
    }
    for path, endpoint in endpoints.items():
        router.add_api_route(path, endpoint, include_in_schema=False, response_class=Response)


def _kept(body: bytes, media_type: bytes) -> Answer:
    return Answer(200, body, [_KEPT, _CSP], media_type=media_type)


def _problems() -> str:
    rows = "".join(
        f'<dt id="{slug}">{status} {html.escape(title)}</dt><dd><code>{slug}</code></dd>'
        for status, (slug, title) in problems.KINDS.items()
    )
    return _PAGE.format(title="Kinds of problems", head="", body=f"<h1>Kinds of problems</h1><dl>{rows}</dl>")


@cache
def _file(name: str) -> bytes:
    return resources.files("fastapi_offline").joinpath("static", name).read_bytes()
