"""From errors to causes: what kind of failure it is, whether it passes, what was tried and what to do."""

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from customer_pipeline import run_tags
from customer_pipeline.cache.errors import CacheError
from customer_pipeline.defs.verdicts import Unfit
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.provider.errors import (
    ProviderError,
    ProviderMisbehaved,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline.reconciliation.errors import ReconciliationRefused
from customer_pipeline.snapshot.errors import LoadRefused
from customer_pipeline.steps.publication import PublicationIncomplete
from customer_pipeline.windows import Window

Facts: TypeAlias = dict[str, str | int | float]

_PACKAGE = Path(__file__).parents[1]
_PROVIDER_KINDS: dict[type[ProviderError], str] = {
    ProviderUnavailable: run_tags.PROVIDER_UNAVAILABLE,
    ProviderThrottled: run_tags.PROVIDER_THROTTLED,
    ProviderRejected: run_tags.PROVIDER_REJECTED,
    ProviderMisbehaved: run_tags.PROVIDER_MISBEHAVED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Why a step failed, without a customer's value or a secret.

    Attributes:
        kind: a value of the run tag FAILURE.
        permanent: whether trying again needs a person first.
        retryable: whether another try within the run can help.
        reason: what happened.
        advice: what to do, in whole sentences.
        tried: what was tried within one try of the step, such as `5 attempts in 12 s`; empty where nothing is known.
        windows: which windows it concerns, where the error itself knows.
        facts: further metadata.
    """

    kind: str
    permanent: bool
    retryable: bool
    reason: str
    advice: str
    tried: str = ""
    windows: tuple[Window, ...] = ()
    facts: Facts = field(default_factory=dict)


def cause_of(error: Exception) -> Cause:  # noqa: PLR0911 -- a table of types
    """Return the cause that `error` tells of.

    Of an error that nobody foresaw only type and place are told: its message may quote an URL or a customer's value.
    """
    match error:
        case ProviderError():
            return _of_provider(error)
        case CacheError():
            kind = run_tags.CACHE_UNAVAILABLE if error.transient else run_tags.CACHE_REJECTED
            return _known(kind, transient=error.transient, reason=error.reason, advice=error.advice)
        case ReconciliationRefused() | LoadRefused():
            return _known(run_tags.PROVIDER_MISBEHAVED, transient=False, reason=error.reason, advice=error.advice)
        case PublicationIncomplete():
            return _split(run_tags.CACHE_UNAVAILABLE, str(error), transient=error.transient)
        case LandingError():
            return _split(run_tags.LANDING, str(error), transient=error.transient)
        case ProfileError():
            advice = "Correct the profile or its variables."
            return _known(run_tags.PROFILE, transient=False, reason=str(error), advice=advice)
        case Unfit():
            return Cause(
                kind=run_tags.CHECKS,
                permanent=True,
                retryable=False,
                reason=error.reason,
                advice=error.advice,
                windows=error.windows,
            )
        case _:
            return _unforeseen(error)


def _known(kind: str, *, transient: bool, reason: str, advice: str) -> Cause:
    return Cause(kind=kind, permanent=not transient, retryable=transient, reason=reason, advice=advice)


def _split(kind: str, message: str, *, transient: bool) -> Cause:
    reason, _, advice = message.partition("; ")
    return _known(kind, transient=transient, reason=reason, advice=f"{advice[:1].upper()}{advice[1:]}.")


def _of_provider(error: ProviderError) -> Cause:
    kind = next(kind for type_, kind in _PROVIDER_KINDS.items() if isinstance(error, type_))
    request = error.request
    elapsed = request.elapsed.total_seconds()
    facts: Facts = {
        "request": f"{request.method} {request.url}",
        "status": "no response" if request.status is None else request.status,
        "attempts": request.attempts,
        "elapsed_seconds": elapsed,
    }
    if request.request_id:
        facts["provider_request_id"] = request.request_id
    if error.wait is not None:
        facts["wait_seconds"] = error.wait.total_seconds()
    status = "" if request.status is None else f" (status {request.status})"
    asked = "" if error.wait is None else f", it asks to wait {error.wait.total_seconds():.0f} s"
    return Cause(
        kind=kind,
        permanent=not error.transient,
        # A provider that said how long to wait is not asked again before that.
        retryable=error.transient and error.wait is None,
        reason=f"{error.reason}{status}{asked}",
        advice=error.advice,
        tried=f"{request.attempts} attempt{'s' * (request.attempts != 1)} in {elapsed:.{0 if elapsed >= 10 else 1}f} s",  # noqa: PLR2004 -- digits
        facts=facts,
    )


def _unforeseen(error: Exception) -> Cause:
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{Path(frame.filename).relative_to(_PACKAGE)}:{frame.lineno}"
        for frame in frames
        if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    return Cause(
        kind=run_tags.UNFORESEEN,
        # Nobody knows; so it is tried again, but not at once.
        permanent=False,
        retryable=False,
        reason=f"{type(error).__name__} at {places[-1] if places else 'an unknown place'}",
        advice="Later ticks and heals try again; if it recurs, report it with its type and place.",
        facts={"place": " > ".join(places)},
    )
