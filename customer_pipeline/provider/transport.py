"""One HTTP session to one provider: sends a request until it has a whole JSON answer, or raises a typed error."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urljoin

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from customer_pipeline import timestamps
from customer_pipeline.provider.answers import clock_difference, parsed
from customer_pipeline.provider.attempts import Attempts, Traffic
from customer_pipeline.provider.bodies import Body
from customer_pipeline.provider.errors import (
    ProviderError,
    ProviderMisbehaved,
    ProviderUnavailable,
    RequestBudgetExhausted,
    RequestFacts,
)
from customer_pipeline.provider.permits import PermitRefused, Permits, Unlimited
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.redaction import origin, redact
from customer_pipeline.provider.retry import RetryBudget
from customer_pipeline.provider.session import kind, open_session

MAX_REDIRECTS = 5
MOST_BODY_BYTES = 128 << 20
_CHUNK_BYTES = 1 << 16
_REDIRECTS = {301, 302, 303, 307, 308}

Reader = Callable[[requests.Response, bytes, RequestFacts], Body]

log = logging.getLogger(__name__)


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


class Transport:
    """The session. It sends one request at a time; `permits` says when.

    Raises:
        ProfileError: if an environment variable that the profile names is not set, or makes no usable URL or header.
    """

    def __init__(
        self,
        profile: Profile,
        environment: Mapping[str, str],
        *,
        sleep: Callable[[float], object] | None = None,
        permits: Permits | None = None,
    ) -> None:
        self._profile = profile
        self._ending = threading.Event()
        self._permits = permits or Unlimited()
        self.base_url = profile.resolved_base_url(environment)
        self.list_url = f"{self.base_url}/{profile.list.path.lstrip('/')}"
        self._shown_base_url = profile.shown_base_url(environment)
        self._shown = self.shown(profile.list.path)
        self._session = open_session(profile, environment)
        self._sleep = sleep or self._ending.wait
        self.traffic = Traffic()
        self.renew_budget()

    def renew_budget(self) -> None:
        """Forget what was waited for between tries so far."""
        self._budget = RetryBudget(self._profile.retry, sleep=self._sleep)

    def end_soon(self) -> None:
        """Try nothing again, from whatever thread: what is under way ends with its present request."""
        self._ending.set()

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def __repr__(self) -> str:
        return f"Transport({self._shown!r})"

    def shown(self, path: str) -> str:
        """Return what may be shown of the URL at a path of the profile."""
        return redact(f"{self._shown_base_url}/{path.lstrip('/')}")

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        shown: str | None = None,
        read: Reader | None = None,
    ) -> Answer:
        """Ask for `url`; transient errors are retried within the retry budget, each try with a permit of its own.

        Args:
            url: where to ask.
            params: of the query.
            shown: what errors show of the URL; the list's by default.
            read: makes a body of an answer; that of a list by default.

        Raises:
            ProviderError: one of its four kinds.
            RequestBudgetExhausted: if no permit came in time; it was waited for, so this is not retried.
        """
        attempts = Attempts(shown or self._shown, self._profile.request_id_header)
        while True:
            if self._ending.is_set():
                raise ProviderUnavailable("the run ends before this request", attempts.facts(None))
            attempts.count += 1
            try:
                return self._try(attempts, url, params or {}, read or self._read_list)
            except RequestBudgetExhausted:
                raise
            except ProviderError as error:
                if self._ending.is_set() or not self._budget.wait_before_retry(error, attempts.count):
                    raise
                self.traffic.retries += 1
                log.info("retrying after attempt %d: %s", attempts.count, error.reason)

    def _try(self, attempts: Attempts, url: str, params: Mapping[str, str], read: Reader) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            with self._permitted(attempts):
                sent_at = timestamps.now()
                response, content = self._receive(attempts, url, params)
                received_at = timestamps.now()
            facts = attempts.facts(response)
            if response.status_code not in _REDIRECTS:
                body = read(response, content, facts)
                difference = clock_difference(response.headers, sent_at=sent_at, received_at=received_at)
                return Answer(response.url, body, response.headers, sent_at, received_at, difference, facts)
            url = self.same_origin(response.url, response.headers.get("Location", ""), facts)
            params = {}
        raise ProviderMisbehaved(f"the provider redirected more than {MAX_REDIRECTS} times", facts)

    def _read_list(self, response: requests.Response, content: bytes, facts: RequestFacts) -> Body:
        return parsed(response, content, endpoint=self._profile.list, facts=facts)

    @contextmanager
    def _permitted(self, attempts: Attempts) -> Iterator[None]:
        try:
            with self._permits.permit() as waited:
                self.traffic.waited += waited
                yield
        except PermitRefused as refusal:
            facts = attempts.facts(None)
            raise RequestBudgetExhausted(str(refusal), replace(facts, attempts=facts.attempts - 1)) from None

    def _receive(self, attempts: Attempts, url: str, params: Mapping[str, str]) -> tuple[requests.Response, bytes]:
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
            failed = kind(error)
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
