"""One HTTP session to one provider: sends a request until it has a whole JSON answer, or raises a typed error."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urljoin

import requests
from requests.structures import CaseInsensitiveDict

from customer_pipeline import timestamps
from customer_pipeline.provider.auth import Credentials
from customer_pipeline.provider.bodies import Body, BodyError, parse_body
from customer_pipeline.provider.errors import ProviderError, ProviderMisbehaved, ProviderUnavailable, RequestFacts
from customer_pipeline.provider.profile import Profile, resolve
from customer_pipeline.provider.redaction import QueryFilter, origin, redact
from customer_pipeline.provider.retry import RetryBudget, failure_of

MAX_REDIRECTS = 5
_CHUNK_BYTES = 1 << 16
_NO_CONTENT = 204
_REDIRECTS = {301, 302, 303, 307, 308}
_QUERY_FILTER = QueryFilter()

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Traffic:
    """What went over the wire so far."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole, parsed answer.

    Attributes:
        url: where it came from, after redirects; holds secrets, never shown.
        body: the parsed body; without content, a null document and no records.
        headers: the answer's headers.
        sent_at: when the request was sent. An edit that it missed happened later.
        clock_difference: the provider's clock minus ours, to half a second; None without a `Date` header.
        facts: what an error about this answer should carry.
    """

    url: str
    body: Body
    headers: CaseInsensitiveDict[str]
    sent_at: datetime
    clock_difference: timedelta | None
    facts: RequestFacts


@dataclass(slots=True)
class _Attempts:
    """One request and its tries."""

    url: str
    started: float = field(default_factory=time.monotonic)
    count: int = 0

    def facts(self, response: requests.Response | None, request_id_header: str) -> RequestFacts:
        request_id = response.headers.get(request_id_header) if response is not None else None
        return RequestFacts(
            method="GET",
            url=redact(self.url),
            status=response.status_code if response is not None else None,
            attempts=self.count,
            elapsed=timedelta(seconds=time.monotonic() - self.started),
            request_id=request_id[:100] if request_id and request_id.isprintable() else None,
        )


class Transport:
    """The session. One run uses one transport, so that the retry budget is the run's.

    Raises:
        ProfileError: if an environment variable that the profile names is not set.
    """

    def __init__(
        self, profile: Profile, environment: Mapping[str, str], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._profile = profile
        self.base_url = resolve(profile.base_url, environment).rstrip("/")
        self._session = requests.Session()
        self._session.auth = Credentials(profile, environment)
        self._session.headers["Accept"] = "application/json"
        self._budget = RetryBudget(profile.retry, sleep=sleep)
        self.traffic = Traffic()
        logging.getLogger("urllib3.connectionpool").addFilter(_QUERY_FILTER)

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Answer:
        """Ask for `url`; transient errors are retried within the run's budget.

        Raises:
            ProviderError: one of its four kinds.
        """
        attempts = _Attempts(url)
        while True:
            attempts.count += 1
            try:
                return self._try(attempts, url, params or {})
            except ProviderError as error:
                if not self._budget.wait_before_retry(error, attempts.count):
                    raise
                self.traffic.retries += 1
                log.info("retrying after attempt %d: %s", attempts.count, error.reason)

    def _try(self, attempts: _Attempts, url: str, params: Mapping[str, str]) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            sent_at = timestamps.now()
            response, content = self._receive(attempts, url, params)
            if response.status_code not in _REDIRECTS:
                facts = attempts.facts(response, self._profile.request_id_header)
                body = self._body(response, content, facts)
                difference = _clock_difference(response, sent_at)
                return Answer(response.url, body, response.headers, sent_at, difference, facts)
            facts = attempts.facts(response, self._profile.request_id_header)
            url = self.same_origin(response.url, response.headers.get("Location", ""), facts)
            params = {}
        raise ProviderMisbehaved(f"the provider redirected more than {MAX_REDIRECTS} times", facts)

    def _receive(
        self, attempts: _Attempts, url: str, params: Mapping[str, str]
    ) -> tuple[requests.Response, bytes]:
        timeouts = self._profile.timeouts
        self.traffic.requests += 1
        deadline = time.monotonic() + timeouts.total.total_seconds()
        response: requests.Response | None = None
        try:
            response = self._session.get(
                url,
                params=params,
                timeout=(timeouts.connect.total_seconds(), timeouts.read.total_seconds()),
                allow_redirects=False,
                stream=True,
            )
            chunks = []
            with response:
                for chunk in response.iter_content(_CHUNK_BYTES):
                    self.traffic.bytes += len(chunk)
                    chunks.append(chunk)
                    if time.monotonic() > deadline:
                        raise requests.Timeout  # noqa: TRY301 -- handled with the other timeouts
        except (requests.RequestException, OSError, ValueError) as error:
            # The library's messages hold the whole URL, so only the kind of error is kept, and no cause.
            facts = attempts.facts(response, self._profile.request_id_header)
            raise ProviderUnavailable(f"the request failed: {_kind(error)}", facts) from None
        return response, b"".join(chunks)

    def _body(self, response: requests.Response, content: bytes, facts: RequestFacts) -> Body:
        if failure := failure_of(response.status_code):
            kind, reason = failure
            raise kind(reason, facts, wait=_retry_after(response))
        if response.status_code == _NO_CONTENT and self._profile.list.no_content_is_empty:
            return Body(None, [], [])
        media_type, _, parameters = response.headers.get("Content-Type", "").partition(";")
        media_type = media_type.strip().lower()
        if media_type not in self._profile.list.content_types and not media_type.endswith("+json"):
            shown = media_type if media_type.isascii() and media_type.isprintable() else "an unreadable media type"
            raise ProviderMisbehaved(f"the answer is {shown[:60] or 'of no stated media type'}, not JSON", facts)
        encoding = "utf-8"
        if "charset=" in parameters.lower():
            encoding = parameters.lower().split("charset=")[1].split(";")[0].strip(" \"'")[:40]
        try:
            return parse_body(content, encoding=encoding, path=self._profile.list.records)
        except BodyError as error:
            raise ProviderMisbehaved(str(error), facts) from None

    def same_origin(self, base: str, link: str, facts: RequestFacts) -> str:
        """Resolve a next link or redirect, and refuse one that would carry the credentials elsewhere.

        Raises:
            ProviderMisbehaved: if the link leads to another scheme, host or port, or is none.
        """
        try:
            target = urljoin(base, link)
            same = bool(link) and origin(target) == origin(self.base_url)
        except ValueError:
            same = False
        if not same:
            raise ProviderMisbehaved(
                f"a link leads away from {origin(self.base_url)}; the credentials are not sent there", facts
            )
        return target


def _kind(error: Exception) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return "no connection within timeouts.connect"
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return "no whole answer within the timeouts"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the answer broke off"
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS handshake failed"
    if isinstance(error, requests.ConnectionError):
        return "the connection was refused or cut"
    return type(error).__name__


def _retry_after(response: requests.Response) -> timedelta | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal() and value.isascii():
        return timedelta(seconds=min(int(value), 10**9))
    if not (until := timestamps.parse_http_date(value)):
        return None
    theirs = timestamps.parse_http_date(response.headers.get("Date", "")) or timestamps.now()
    return max(until - theirs, timedelta(0))


def _clock_difference(response: requests.Response, sent_at: datetime) -> timedelta | None:
    theirs = timestamps.parse_http_date(response.headers.get("Date", ""))
    if theirs is None:
        return None
    ours = sent_at + (timestamps.now() - sent_at) / 2
    return theirs + timedelta(milliseconds=500) - ours
