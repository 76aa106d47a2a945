"""What an answer's status and headers mean, looked at before its body.

Nothing that a provider wrote freely gets into an error.
"""

import codecs
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import requests

from customer_pipeline import timestamps
from customer_pipeline.provider.bodies import Body, BodyError, parse_body, parse_record
from customer_pipeline.provider.endpoints import ListEndpoint, LookupEndpoint
from customer_pipeline.provider.errors import ProviderMisbehaved, RequestFacts
from customer_pipeline.provider.retry import failure_of

_NO_CONTENT = 204
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,30}/[a-z0-9.+-]{1,60}")
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s"';,]+)""", re.IGNORECASE)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:=/+-]{1,100}")
_MOST_SECONDS = 10**9
# A clock that is further off is none to measure by.
_MOST_CLOCK_DIFFERENCE = timedelta(days=1)


def parsed(response: requests.Response, content: bytes, *, endpoint: ListEndpoint, facts: RequestFacts) -> Body:
    """Parse a whole answer with a list: status first, then content type, then body.

    Raises:
        ProviderError: one of its four kinds.
    """
    _require_success(response, facts)
    if response.status_code == _NO_CONTENT:
        if endpoint.no_content_is_empty:
            return Body(None, [], [])
        raise ProviderMisbehaved(
            "the answer has no content; if that means that there are no records, set list.no_content_is_empty", facts
        )
    encoding = _json_encoding(response, endpoint.content_types, facts)
    try:
        return parse_body(content, encoding=encoding, path=endpoint.records)
    except BodyError as error:
        reason = str(error)
    # Raised out here, so that the parser's error is no part of ours: it holds the body.
    raise ProviderMisbehaved(reason, facts)


def looked_up(
    response: requests.Response,
    content: bytes,
    *,
    endpoint: LookupEndpoint,
    content_types: tuple[str, ...],
    facts: RequestFacts,
) -> Body:
    """Parse a whole answer with one record; one that says that there is none has no records.

    Raises:
        ProviderError: one of its four kinds.
    """
    if response.status_code in endpoint.absent:
        return Body(None, [], [])
    _require_success(response, facts)
    if response.status_code == _NO_CONTENT:
        raise ProviderMisbehaved(
            "the answer has no content; if that means that there is no such customer, add 204 to lookup.absent", facts
        )
    encoding = _json_encoding(response, content_types, facts)
    try:
        body = parse_record(content, encoding=encoding, path=endpoint.record)
    except BodyError as error:
        reason = str(error)
    else:
        if body.records or endpoint.no_record_is_absent:
            return body
        reason = (
            f"there is nothing or null at {endpoint.record!r} (lookup.record); if that means that there is no such "
            "customer, set lookup.no_record_is_absent"
        )
    raise ProviderMisbehaved(reason, facts)


def _require_success(response: requests.Response, facts: RequestFacts) -> None:
    if failure := failure_of(response.status_code):
        kind, reason = failure
        raise kind(reason, facts, wait=retry_after(response.headers))


def _json_encoding(response: requests.Response, content_types: tuple[str, ...], facts: RequestFacts) -> str:
    stated = response.headers.get("Content-Type", "")
    media_type = stated.partition(";")[0].strip().lower()
    if media_type not in content_types and not media_type.endswith("+json"):
        shown = media_type if _MEDIA_TYPE.fullmatch(media_type) else "of no known media type"
        raise ProviderMisbehaved(f"the answer is {shown}, not JSON", facts)
    charset = _CHARSET.search(stated)
    encoding = _encoding(charset[1]) if charset else "utf-8"
    if encoding is None:
        raise ProviderMisbehaved("the answer is in an unknown character set", facts)
    return encoding


def _encoding(name: str) -> str | None:
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return None


def request_id(headers: Mapping[str, str], name: str) -> str | None:
    """Return the provider's id of a request, where it looks like one."""
    value = headers.get(name, "")
    return value if _REQUEST_ID.fullmatch(value) else None


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long the provider asks to wait; a date is compared with the provider's own clock."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return timedelta(seconds=min(int(value[:12]), _MOST_SECONDS))
    until = timestamps.parse_http_date(value)
    if until is None:
        return None
    theirs = timestamps.parse_http_date(headers.get("Date", "")) or timestamps.now()
    return max(until - theirs, timedelta(0))


def clock_difference(headers: Mapping[str, str], *, sent_at: datetime, received_at: datetime) -> timedelta | None:
    """Return the provider's clock minus ours, as of the middle of the request; None without a `Date`."""
    theirs = timestamps.parse_http_date(headers.get("Date", ""))
    if theirs is None:
        return None
    difference = theirs - (sent_at + (received_at - sent_at) / 2)
    return difference + timedelta(milliseconds=500) if abs(difference) <= _MOST_CLOCK_DIFFERENCE else None
