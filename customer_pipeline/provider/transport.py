"""One HTTP session to one provider: sends a request until it has a whole JSON answer, or raises a typed error."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urljoin

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from customer_pipeline import timestamps
from customer_pipeline.provider.answers import clock_difference, parsed, request_id
from customer_pipeline.provider.auth import Credentials
from customer_pipeline.provider.bodies import Body
from customer_pipeline.provider.errors import ProviderError, ProviderMisbehaved, ProviderUnavailable, RequestFacts
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.redaction import QueryFilter, origin, redact
from customer_pipeline.provider.retry import RetryBudget

MAX_REDIRECTS = 5
MOST_BODY_BYTES = 128 << 20
_CHUNK_BYTES = 1 << 16
_REDIRECTS = {301, 302, 303, 307, 308}
_QUERY_FILTER = QueryFilter()
_CHATTY_LOGGERS = ("connection", "connectionpool", "poolmanager", "response", "util.retry")

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
        received_at: when the whole answer was there.
        clock_difference: the provider's clock minus ours, to half a second; None without a `Date` header.
        facts: what an error about this answer should carry.
    """

    url: str = field(repr=False)
    body: Body = field(repr=False)
    headers: CaseInsensitiveDict[str] = field(repr=False)
    sent_at: datetime
    received_at: datetime
    clock_difference: timedelta | None
    facts: RequestFacts


@dataclass(slots=True)
class _Attempts:
    """One request and its tries; `shown` is the list's URL, since a link's own is part of a body."""

    shown: str
    request_id_header: str
    started: float = field(default_factory=time.monotonic)
    count: int = 0

    def facts(self, response: requests.Response | None) -> RequestFacts:
        return RequestFacts(
            method="GET",
            url=self.shown,
            status=response.status_code if response is not None else None,
            attempts=self.count,
            elapsed=timedelta(seconds=time.monotonic() - self.started),
            request_id=request_id(response.headers, self.request_id_header) if response is not None else None,
        )


class _Session(requests.Session):
    """A session that leaves redirects alone: to prepare one, requests would read its body whole, whatever its size."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 -- the name is requests'
        return None


class Transport:
    """The session. One run uses one transport, so that the retry budget is the run's.

    Raises:
        ProfileError: if an environment variable that the profile names is not set, or makes no usable URL or header.
    """

    def __init__(
        self, profile: Profile, environment: Mapping[str, str], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._profile = profile
        self.base_url = profile.resolved_base_url(environment)
        self.list_url = f"{self.base_url}/{profile.list.path.lstrip('/')}"
        self._shown = redact(f"{profile.shown_base_url(environment)}/{profile.list.path.lstrip('/')}")
        self._session = _Session()
        self._session.auth = Credentials(profile, environment)
        self._session.headers["Accept"] = "application/json"
        self._budget = RetryBudget(profile.retry, sleep=sleep)
        self.traffic = Traffic()
        for name in _CHATTY_LOGGERS:
            logging.getLogger(f"urllib3.{name}").addFilter(_QUERY_FILTER)

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def __repr__(self) -> str:
        return f"Transport({self._shown!r})"

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Answer:
        """Ask for `url`; transient errors are retried within the run's budget.

        Raises:
            ProviderError: one of its four kinds.
        """
        attempts = _Attempts(self._shown, self._profile.request_id_header)
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
            received_at = timestamps.now()
            facts = attempts.facts(response)
            if response.status_code not in _REDIRECTS:
                body = parsed(response, content, endpoint=self._profile.list, facts=facts)
                difference = clock_difference(response.headers, sent_at=sent_at, received_at=received_at)
                return Answer(response.url, body, response.headers, sent_at, received_at, difference, facts)
            url = self.same_origin(response.url, response.headers.get("Location", ""), facts)
            params = {}
        raise ProviderMisbehaved(f"the provider redirected more than {MAX_REDIRECTS} times", facts)

    def _receive(self, attempts: _Attempts, url: str, params: Mapping[str, str]) -> tuple[requests.Response, bytes]:
        timeouts = self._profile.timeouts
        self.traffic.requests += 1
        deadline = time.monotonic() + timeouts.total.total_seconds()
        response: requests.Response | None = None
        content: bytes | None = None
        failed: str | None = None
        try:
            response = self._session.get(
                url,
                params=params,
                timeout=(timeouts.connect.total_seconds(), timeouts.read.total_seconds()),
                allow_redirects=False,
                stream=True,
            )
            with response:
                content = self._content(response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failed = _kind(error)
        # Raised out here, so that the library's error is no part of ours: its message holds the whole URL.
        if failed:
            raise ProviderUnavailable(f"the request failed: {failed}", attempts.facts(response))
        if response is None or content is None:
            raise ProviderMisbehaved(
                f"the answer is larger than {MOST_BODY_BYTES >> 20} MiB; lower pagination.size",
                attempts.facts(response),
            )
        return response, content

    def _content(self, response: requests.Response, deadline: float) -> bytes | None:
        """Read a body, uncompressed; None if it is too large.

        Each read takes what has arrived. Waiting for a full chunk, a body that comes byte by byte would never be late.
        """
        content = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            content += chunk
            self.traffic.bytes += len(chunk)
            if time.monotonic() > deadline:
                raise requests.Timeout
            if len(content) > MOST_BODY_BYTES:
                return None
        return bytes(content)

    def same_origin(self, base: str, link: str, facts: RequestFacts) -> str:
        """Resolve a next link or redirect, and refuse one that would carry the credentials elsewhere.

        Userinfo in a link is dropped: the credentials are the profile's.

        Raises:
            ProviderMisbehaved: if the link leads to another scheme, host or port, or is none.
        """
        try:
            target = urllib3.util.parse_url(urljoin(base, link))._replace(auth=None).url
            same = bool(link) and origin(target) == origin(self.base_url)
        except ValueError:
            same = False
        if not same:
            raise ProviderMisbehaved(
                f"a link leads away from {origin(self.base_url)}; the credentials are not sent there",
                facts,
                transient=False,
            )
        return target


def _kind(error: Exception) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return "no connection within timeouts.connect"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no whole answer within the timeouts"
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return "the TLS handshake failed"
    if isinstance(error, requests.ConnectionError):
        return "the connection was refused or cut"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the answer broke off"
    return type(error).__name__
