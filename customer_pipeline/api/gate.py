"""Who may ask for what: everything needs a key but the health checks, and the reference once there is a key."""

import re

from starlette.types import Scope

from customer_pipeline.api.answers import Header, header
from customer_pipeline.api.credentials import Key
from customer_pipeline.api.credentials import Scope as May
from customer_pipeline.api.key_file import KeyFile
from customer_pipeline.api.limits import RateLimit
from customer_pipeline.api.problems import Problem
from customer_pipeline.timestamps import now

HEALTH = frozenset({"/healthz", "/readyz"})
REFERENCE = "/docs"
SPECIFICATION = "/openapi.json"
LOOKUP = "/v1/customers/lookup"
CUSTOMERS = "/v1/customers"
CHANGES = "/v1/changes"
FRESHNESS = "/v1/freshness"
METRICS = "/metrics"

_CHALLENGE = b'Bearer realm="customers"'
KEY = "customer_pipeline.key"
_SCOPES = {
    CUSTOMERS: May.READ,
    LOOKUP: May.LOOKUP,
    CHANGES: May.CHANGES,
    METRICS: May.METRICS,
    FRESHNESS: None,
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Gate:
    """Lets a request in, or raises the problem that it is answered with."""

    def __init__(self, keys: KeyFile, limit: RateLimit) -> None:
        self._keys = keys
        self._limit = limit

    def admit(self, scope: Scope) -> list[Header]:
        """Put the key into the scope of the request, and return the headers that its answer gets.

        Raises:
            Problem: 401, 403, 404 or 429.
        """
        path: str = scope["path"]
        if path in HEALTH or (_is_reference(path) and self._keys.keyring):
            return []
        key = self._recognize(header(scope, b"authorization"))
        scope[KEY] = key
        allowance = self._limit.take(key.id)
        headers = self._limit.headers(allowance)
        if not allowance.granted:
            raise Problem(429, f"Try again in {allowance.seconds} s.", headers=headers)
        needed = scope_of(path)
        if needed is not None and needed not in key.scopes:
            challenge = b'%s, error="insufficient_scope", scope="%s"' % (_CHALLENGE, needed.encode())
            raise Problem(
                403, f"The key lacks the scope {needed}.", headers=[*headers, (b"www-authenticate", challenge)]
            )
        return headers

    def still_admits(self, key: Key) -> bool:
        """Return whether a key that was let in would be let in again."""
        return key in self._keys.keyring and not key.is_expired(now())

    @property
    def has_keys(self) -> bool:
        """Whether anybody can be let in."""
        return bool(self._keys.keyring)

    def _recognize(self, authorization: bytes) -> Key:
        kind, _, text = authorization.partition(b" ")
        if kind.lower() != b"bearer":
            raise _unauthorized("Send a key: `Authorization: Bearer ck_...`.", _CHALLENGE)
        key = self._keys.keyring.recognize(text.strip().decode("ascii", "replace"))
        if key is None:
            raise _unauthorized("The key is not known; it may have been revoked.", _invalid())
        if key.is_expired(now()):
            raise _unauthorized("The key has expired.", _invalid())
        return key


def key_of(scope: Scope) -> Key | None:
    """Return the key of a request that was let in; None where none was needed."""
    key: Key | None = scope.get(KEY)
    return key


def scope_of(path: str) -> May | None:
    """Return what a key must be allowed for a path; None where any key will do.

    Raises:
        Problem: 404, if there is nothing at the path: whatever the routes make of it, nobody gets there.
    """
    if _CONTROL.search(path):
        raise Problem(404, "No path here has a control character.")
    if path.startswith(f"{CUSTOMERS}/") and path != LOOKUP:
        return May.READ
    if path in _SCOPES:
        return _SCOPES[path]
    if path in HEALTH or _is_reference(path):
        return None
    raise Problem(404, "There is nothing at this path.")


def _is_reference(path: str) -> bool:
    return path in {REFERENCE, SPECIFICATION} or path.startswith(f"{REFERENCE}/")


def _invalid() -> bytes:
    return _CHALLENGE + b', error="invalid_token"'


def _unauthorized(detail: str, challenge: bytes) -> Problem:
    return Problem(401, detail, headers=[(b"www-authenticate", challenge)])
