"""From errors to causes, without a run."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from customer_pipeline import run_tags
from customer_pipeline.cache.errors import CacheError, explain
from customer_pipeline.defs.causes import cause_of
from customer_pipeline.defs.verdicts import ChecksFailed, Verdict
from customer_pipeline.landing.errors import LandingError, NotLanded
from customer_pipeline.provider.errors import (
    ProviderError,
    ProviderMisbehaved,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
    RequestFacts,
)
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline.steps.publication import PublicationIncomplete
from customer_pipeline.windows import WINDOW_LENGTH, Window

START = datetime(2026, 11, 23, 14, 50, tzinfo=UTC)
REQUEST = RequestFacts(
    method="GET",
    url="https://api.example.org/customers?since=...",
    status=None,
    attempts=5,
    elapsed=timedelta(seconds=12.3),
    request_id=None,
)
RETRY_AFTER = ProviderThrottled("the provider throttles", REQUEST, wait=timedelta(minutes=5))


def failed_check() -> ChecksFailed:
    windows = (Window(START + WINDOW_LENGTH, START + 2 * WINDOW_LENGTH), Window(START, START + WINDOW_LENGTH))
    verdict = Verdict(
        check="quarantine_rate_is_low",
        asset="quarantined_customers",
        passed=False,
        metadata={"what_next": "Correct the profile."},
        windows=windows,
    )
    return ChecksFailed([verdict])


@pytest.mark.parametrize(
    ("error", "kind", "permanent", "retryable"),
    [
        (ProviderUnavailable("down", REQUEST), run_tags.PROVIDER_UNAVAILABLE, False, True),
        (ProviderThrottled("busy", REQUEST), run_tags.PROVIDER_THROTTLED, False, True),
        (RETRY_AFTER, run_tags.PROVIDER_THROTTLED, False, False),
        (ProviderRejected("refused", REQUEST), run_tags.PROVIDER_REJECTED, True, False),
        (ProviderMisbehaved("a loop", REQUEST), run_tags.PROVIDER_MISBEHAVED, False, True),
        (ProviderMisbehaved("ignored", REQUEST, transient=False), run_tags.PROVIDER_MISBEHAVED, True, False),
        (explain(redis.ConnectionError("refused")), run_tags.CACHE_UNAVAILABLE, False, True),
        (explain(redis.ResponseError("OOM command not allowed")), run_tags.CACHE_UNAVAILABLE, False, True),
        (explain(redis.ResponseError("WRONGPASS no")), run_tags.CACHE_REJECTED, True, False),
        (CacheError("unreadable", advice="Look."), run_tags.CACHE_REJECTED, True, False),
        (PublicationIncomplete("3 were sent; it heals"), run_tags.CACHE_UNAVAILABLE, False, True),
        (LandingError("no room; free space", transient=True), run_tags.LANDING, False, True),
        (NotLanded("never landed; materialize it"), run_tags.LANDING, True, False),
        (ProfileError("profile.yaml: name: missing"), run_tags.PROFILE, True, False),
        (failed_check(), run_tags.CHECKS, True, False),
        (ValueError("poison-marker@example.com"), run_tags.UNFORESEEN, False, False),
    ],
)
def test_every_error_has_a_kind_and_is_permanent_or_not(
    *, error: Exception, kind: str, permanent: bool, retryable: bool
) -> None:
    cause = cause_of(error)
    assert (cause.kind, cause.permanent, cause.retryable) == (kind, permanent, retryable)
    assert cause.kind in run_tags.SAID
    assert cause.reason
    assert cause.advice.endswith(".")
    assert "poison-marker" not in repr(cause)


def test_every_kind_of_provider_error_is_known() -> None:
    for kind in ProviderError.__subclasses__():
        assert cause_of(kind("x", REQUEST)).kind.startswith("provider_")


@pytest.mark.parametrize(
    ("attempts", "elapsed", "tried"),
    [(5, 12.3, "5 attempts in 12 s"), (1, 0.04, "1 attempt in 0.0 s"), (2, 9.96, "2 attempts in 10.0 s")],
)
def test_what_was_tried_is_told(attempts: int, elapsed: float, tried: str) -> None:
    request = RequestFacts(
        method="GET", url="u", status=None, attempts=attempts, elapsed=timedelta(seconds=elapsed), request_id=None
    )
    assert cause_of(ProviderUnavailable("down", request)).tried == tried


def test_status_wait_and_request_id_are_told_where_they_are_known() -> None:
    request = RequestFacts(
        method="GET", url="u", status=503, attempts=1, elapsed=timedelta(seconds=1), request_id="r-1"
    )
    cause = cause_of(ProviderUnavailable("down", request, wait=timedelta(minutes=5)))
    assert cause.reason == "down (status 503), it asks to wait 300 s"
    assert cause.facts["status"] == 503
    assert cause.facts["wait_seconds"] == 300
    assert cause.facts["provider_request_id"] == "r-1"
    assert cause_of(ProviderUnavailable("down", REQUEST)).facts["status"] == "no response"


def test_failed_checks_name_their_windows_oldest_first() -> None:
    cause = cause_of(failed_check())
    assert cause.reason == "quarantine_rate_is_low failed in 2 windows"
    assert [window.start for window in cause.windows] == [START, START + WINDOW_LENGTH]
    assert cause.advice == "Correct the profile."


def test_a_landing_error_is_split_into_reason_and_advice() -> None:
    cause = cause_of(LandingError("file:///a.parquet: access denied; let the user read it"))
    assert (cause.reason, cause.advice) == ("file:///a.parquet: access denied", "Let the user read it.")


def test_an_error_that_nobody_foresaw_tells_where_in_this_package_it_arose() -> None:
    try:
        Window.from_key("no key")
    except ValueError as error:
        cause = cause_of(error)
    assert cause.reason.startswith("ValueError at windows.py:")
    assert "windows.py:" in str(cause.facts["place"])
    assert cause_of(ValueError("never raised")).reason == "ValueError at an unknown place"
