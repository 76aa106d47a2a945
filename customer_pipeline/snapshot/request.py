"""When an empty cache is to be loaded without a person asking, and from where. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from customer_pipeline.cache.loads import Load

FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=1)
_PROVIDER = "provider_"


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadRun:
    """One run that loads, or was to load, the cache.

    Attributes:
        created: when it was requested.
        ended: when; None while it is queued or under way.
        failed: whether it ended without success.
        canceled: whether somebody stopped it.
        failure: what failed, as the run's tag has it; None where it could not say.
        permanent: whether a person has to mend it.
        configuration: the fingerprint of what was configured when it failed.
        from_landing: whether it was to load what had landed.
    """

    created: datetime
    ended: datetime | None
    failed: bool = False
    canceled: bool = False
    failure: str | None = None
    permanent: bool = False
    configuration: str | None = None
    from_landing: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do about the load.

    Attributes:
        says: in words for a person.
        requested: whether to request a run now.
        from_landing: whether that is to load what has landed.
    """

    says: str
    requested: bool = False
    from_landing: bool = False


def decide(load: Load, runs: Sequence[LoadRun], *, configuration: str, now: datetime) -> Decision:
    """Return whether to request a load now.

    A cache that does not know of a load from the provider that has finished is empty, or as good as that: what has
    landed may hold customers who were deleted since. What fails is tried again later
    and later; what a person has to mend, once an hour or when the configuration is another one. While the provider is
    what fails, readers get what has landed, once; where the cache was lost since, once more.

    Args:
        load: what the cache knows.
        runs: of the job that loads, newest first, those under way among them.
        configuration: its present fingerprint.
        now: the present.
    """
    if load.as_of and load.source == "provider":
        return Decision(says=f"the cache was loaded from the provider, as of {load.as_of}")
    if any(run.ended is None for run in runs):
        return Decision(says="the cache is being loaded")
    lately = list(takewhile(lambda run: run.failed or run.from_landing, runs))
    failed = [run for run in lately if run.failed and not run.from_landing]
    if not failed:
        return Decision(says="the cache is empty: it is loaded from the provider", requested=True)
    newest = failed[0]
    told = next((run.failure for run in failed if run.failure), None) or ""
    replays = list(takewhile(lambda run: run.failed, (run for run in lately if run.from_landing)))
    if told.startswith(_PROVIDER) and not load.replayed_at and _due(replays, configuration=configuration, now=now):
        return Decision(
            says="the cache is empty and the provider fails: what has landed is published",
            requested=True,
            from_landing=True,
        )
    if _due(failed, configuration=configuration, now=now):
        return Decision(says="the cache is empty: loading it from the provider is tried again", requested=True)
    due = (newest.ended or now) + _delay(failed, configuration=configuration)
    return Decision(says=f"loading the cache failed {len(failed)} times; it is tried again at {due:%Y-%m-%d %H:%M} UTC")


def _due(failed: Sequence[LoadRun], *, configuration: str, now: datetime) -> bool:
    """Return whether what has failed in a row, newest first, is to be tried again."""
    return not failed or (failed[0].ended or now) + _delay(failed, configuration=configuration) <= now


def _delay(failed: Sequence[LoadRun], *, configuration: str) -> timedelta:
    newest = failed[0]
    if newest.canceled or (newest.permanent and newest.configuration == configuration):
        return LONGEST_DELAY
    if newest.permanent:
        return timedelta(0)
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(len(failed) - 1, 10))
