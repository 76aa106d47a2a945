"""What can go wrong at the provider, as types that say what to do. They carry facts, never a body or a secret."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFacts:
    """What is known of the request that failed.

    Attributes:
        method: the HTTP method.
        url: the URL without userinfo and without query values.
        status: the HTTP status, or None when no response arrived.
        attempts: how often it was sent, the last one included.
        elapsed: from the first attempt to the failure.
        request_id: the provider's own id of the last attempt, where it gives one.
    """

    method: str
    url: str
    status: int | None
    attempts: int
    elapsed: timedelta
    request_id: str | None

    def __str__(self) -> str:
        status = "no response" if self.status is None else f"status {self.status}"
        text = f"{self.method} {self.url}: {status}, {self.attempts} attempt(s) in {self.elapsed.total_seconds():.1f} s"
        return f"{text}, request id {self.request_id}" if self.request_id else text


class ProviderError(Exception):
    """Base of the four failures of a provider.

    Attributes:
        reason: what happened, in one sentence.
        advice: what to do next, in one sentence.
        request: the facts of the request.
        wait: how long the provider asked to wait before the next request, where it said so.
        transient: whether asking again later can succeed without a person changing anything.
    """

    transient = False
    advice = ""

    def __init__(self, reason: str, request: RequestFacts, *, wait: timedelta | None = None) -> None:
        self.reason = reason
        self.request = request
        self.wait = wait
        asked = f"; it asks to wait {wait.total_seconds():.0f} s" if wait is not None else ""
        super().__init__(f"{reason}{asked} ({request}). {self.advice}")


class ProviderUnavailable(ProviderError):  # noqa: N818 -- the design's word
    """The provider is down: refused, timed out, cut off, or a 5xx."""

    transient = True
    advice = "It heals by itself when a later tick succeeds; until then the cache keeps what it has."


class ProviderThrottled(ProviderError):  # noqa: N818 -- the design's word
    """The provider asks for fewer requests (429)."""

    transient = True
    advice = (
        "It heals by itself when a later tick succeeds; if it recurs, raise pagination.size or retry.budget in the "
        "profile."
    )


class RequestBudgetExhausted(ProviderThrottled):
    """The provider was not asked: the pipeline itself would have passed the profile's limits."""

    advice = (
        "It heals by itself when a later tick succeeds; if it recurs, raise retry.budget, or limits where the provider "
        "allows it."
    )


class ProviderRejected(ProviderError):  # noqa: N818 -- the design's word
    """The provider refuses the request: bad credentials, bad filter, unknown endpoint. Asking again is useless."""

    advice = "Correct the credentials or the profile."


_IF_IT_RECURS = (
    "It heals by itself when a later tick succeeds; if it recurs, compare the profile with the "
    "provider's documentation."
)
_IN_THE_PROFILE = "Compare the profile with the provider's documentation and correct it."


class ProviderMisbehaved(ProviderError):  # noqa: N818 -- the design's word
    """The provider's answer cannot be trusted: a loop, drift, the wrong content type, an unparseable body.

    An answer that may be better next time, such as a page of a proxy or a body cut short, is transient. One that
    contradicts the profile, such as an ignored filter, is not.
    """

    transient = True

    def __init__(
        self, reason: str, request: RequestFacts, *, wait: timedelta | None = None, transient: bool = True
    ) -> None:
        self.transient = transient
        self.advice = _IF_IT_RECURS if transient else _IN_THE_PROFILE
        super().__init__(reason, request, wait=wait)
