"""Which pages of other origins a browser lets read the answers."""

from collections.abc import Sequence

from starlette.types import Scope

from customer_pipeline.api.answers import Answer, Header, header

_EXPOSED = (
    b"customers-as-of, customers-stale, etag, link, ratelimit, ratelimit-policy, retry-after, www-authenticate, "
    b"x-request-id"
)
_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET"),
    (b"access-control-allow-headers", b"authorization, if-none-match, last-event-id, x-request-id"),
    (b"access-control-max-age", b"600"),
]


class Cors:
    """The allow-list of origins."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def headers(self, scope: Scope) -> list[Header]:
        """Return what an answer to this request gets."""
        if not self._origins:
            return []
        origin = header(scope, b"origin")
        vary = (b"vary", b"origin")
        if origin not in self._origins:
            return [vary]
        return [vary, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED)]

    def preflight(self, scope: Scope) -> Answer | None:
        """Return the answer to a browser that asks whether it may; None for other requests and other origins."""
        is_asked = scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method")
        if not is_asked or header(scope, b"origin") not in self._origins:
            return None
        return Answer(204, b"", _PREFLIGHT, media_type=None)
