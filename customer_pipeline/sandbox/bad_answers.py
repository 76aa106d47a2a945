"""The answers that faults give instead of the application's own."""

from collections.abc import Callable
from datetime import timedelta

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Scope

from customer_pipeline import timestamps
from customer_pipeline.sandbox.answers import failure
from customer_pipeline.sandbox.faults import FOREIGN, Fault, Faults

# like a real error page, it holds what no log may hold
_PAGE = "<!doctype html><title>Sorry</title><h1>Something went wrong</h1><p>Customer: Jane Example, jane@example.com"


def _retry_after(fault: Fault, faults: Faults) -> dict[str, str]:
    seconds = int(fault.number("seconds", 30))
    if fault.options.get("form") == "date":
        return {"Retry-After": timestamps.format_http_date(faults.clock() + timedelta(seconds=seconds))}
    return {"Retry-After": str(seconds)}


def _unavailable_for_a_while(fault: Fault, faults: Faults, _: Scope) -> Response:
    return failure(503, "unavailable", "come back later", headers=_retry_after(fault, faults))


def _throttled_for_a_while(fault: Fault, faults: Faults, _: Scope) -> Response:
    return failure(429, "too_many_requests", "slow down", headers=_retry_after(fault, faults))


def _redirected(fault: Fault, _: Faults, scope: Scope) -> Response:
    query = scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{fault.options.get('to', FOREIGN)}{scope['path']}?{query}", status_code=302)


BAD_ANSWERS: dict[str, Callable[[Fault, Faults, Scope], Response]] = {
    "error_500": lambda *_: failure(500, "internal", "customer Jane Example could not be read"),
    "error_503": lambda *_: failure(503, "unavailable", "maintenance"),
    "error_503_retry_after": _unavailable_for_a_while,
    "throttle": lambda *_: failure(429, "too_many_requests", "slow down"),
    "throttle_retry_after": _throttled_for_a_while,
    "html": lambda *_: HTMLResponse(_PAGE),
    "html_500": lambda *_: HTMLResponse(_PAGE, status_code=500),
    "expired_token": lambda *_: failure(401, "expired_token", "the token has expired"),
    "redirect_foreign": _redirected,
}
