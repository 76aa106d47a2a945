"""From the libraries' typed errors to Dagster failures: what happened, where, and what to do, before any traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import dagster as dg

from customer_pipeline.cache.errors import CacheError
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.provider.errors import ProviderError
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline.steps import PublicationIncomplete
from customer_pipeline.windows import Window

# Retries inside a run cover minutes; they are for transient failures only (`allow_retries` below).
transient_retries = dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL)


_KNOWN = (ProviderError, LandingError, CacheError, PublicationIncomplete, ProfileError)
Known: TypeAlias = ProviderError | LandingError | CacheError | PublicationIncomplete | ProfileError


@contextmanager
def explained(window: Window | None = None) -> Iterator[None]:
    """Turn a known error into a `Failure` that says what happened and what to do; permanent ones are not retried.

    The cause is left out: its message is in the description, and the causes of causes may quote an URL.
    """
    try:
        yield
    except _KNOWN as error:
        where = f"window {window.key}: " if window else ""
        raise dg.Failure(
            description=f"{where}{type(error).__name__}: {error}",
            metadata=_facts(error, window),
            allow_retries=_is_transient(error),
        ) from None


def _is_transient(error: Known) -> bool:
    return not isinstance(error, ProfileError) and error.transient


def _facts(error: Known, window: Window | None) -> dict[str, str | int | float]:
    transient = _is_transient(error)
    facts: dict[str, str | int | float] = {
        "error": type(error).__name__,
        "transient": transient,
        "retries": "retried by itself" if transient else "not retried: a person must act first",
    }
    if window:
        facts["window"] = window.key
    if isinstance(error, ProviderError | CacheError):
        facts |= {"reason": error.reason, "what_next": error.advice}
    else:
        facts["reason"] = str(error)
    if isinstance(error, ProviderError):
        facts |= {
            "request": f"{error.request.method} {error.request.url}",
            "status": "no response" if error.request.status is None else error.request.status,
            "attempts": error.request.attempts,
            "elapsed_seconds": error.request.elapsed.total_seconds(),
        }
        if error.request.request_id:
            facts["provider_request_id"] = error.request.request_id
        if error.wait is not None:
            facts["wait_seconds"] = error.wait.total_seconds()
    return facts
