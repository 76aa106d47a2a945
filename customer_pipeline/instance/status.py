"""The state of the pipeline at an instant, from its two sources: what the cache has, and what the instance does."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from customer_pipeline import run_tags
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.loads import Load, Loads
from customer_pipeline.healing.memory import Memory
from customer_pipeline.instance import backfills
from customer_pipeline.instance.automation import HEAL_SENSOR, Automations, automations
from customer_pipeline.instance.backfills import Backfill
from customer_pipeline.instance.graphql import GraphQL
from customer_pipeline.instance.runs import (
    FAILED,
    QUEUED,
    SUCCEEDED,
    UNDER_WAY,
    PipelineRun,
    first_line_of_failure,
    runs,
)
from customer_pipeline.settings import Settings
from customer_pipeline.timestamps import parse_instant
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor

# How long the publication of a window that has just ended is waited for, before it counts as missing.
GRACE = timedelta(minutes=2)
# How long a cache may be silent: its client asks four times before it gives up.
PATIENCE = timedelta(seconds=2)

_RUNS_LOOKED_AT = 100
_MOST_BACKFILLS = 20
_ENDED = sorted(SUCCEEDED | FAILED)
_UNFINISHED = sorted(QUEUED | UNDER_WAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheState:
    """What the cache has.

    Attributes:
        as_of: up to where it has everything; None while nothing was published.
        published_at: when a window was published last.
        covered: what was published, disjoint, oldest first.
        gaps: what should have been by now and was not, oldest first.
        load: what is known of the full load; None where the provider is not walked as a whole.
    """

    as_of: datetime | None
    published_at: datetime | None
    covered: tuple[Window, ...]
    gaps: tuple[Window, ...]
    load: Load | None = None

    @property
    def stale_since(self) -> datetime | None:
        """When the first window that lacks was due."""
        return self.gaps[0].start + WINDOW_LENGTH if self.gaps else None

    def lag(self, at: datetime) -> timedelta | None:
        """How far it lies behind."""
        return at - self.as_of if self.as_of else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """Something that fails.

    Attributes:
        failure: what, as the run's tag has it.
        since: since when live runs fail, for whatever reason.
        permanent: whether a person has to mend it.
        cause: the first line of the newest failed run.
    """

    failure: str
    since: datetime
    permanent: bool
    cause: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """How the provider answered the run that asked it last.

    Attributes:
        state: `up`, `failing`, or `unknown` while no run is known to have asked it.
        since: since when it fails; of one that is up, when it answered.
        failure: how it fails, as the run's tag has it, such as provider_throttled.
        permanent: whether a person has to mend it.
    """

    state: str = "unknown"
    since: datetime | None = None
    failure: str | None = None
    permanent: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceState:
    """What the instance does.

    Attributes:
        automations: daemons, schedules and sensors.
        ended: the newest runs that have ended, newest first.
        unfinished: the runs that are queued or under way, newest first.
        backfills: those that go on.
        outage: what makes the live runs fail; None where the last one succeeded, or a later run of another lane did.
    """

    automations: Automations
    ended: tuple[PipelineRun, ...]
    unfinished: tuple[PipelineRun, ...]
    backfills: tuple[Backfill, ...] = ()
    outage: Outage | None = None

    @property
    def provider(self) -> Provider:
        """How the provider answered last."""
        return provider(self.ended)

    @property
    def given_up(self) -> list[Window]:
        """The ranges that the heal has given up, for a person to look at."""
        sensor = self.automations.named(HEAL_SENSOR)
        return Memory.parse(sensor.cursor).given_up if sensor else []


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """What is known of the pipeline; of a source that does not answer, why not.

    Attributes:
        at: when.
        cache: what the cache has.
        cache_problem: why that is not known.
        instance: what the instance does.
        instance_problem: why that is not known.
    """

    at: datetime
    cache: CacheState | None
    cache_problem: str | None = None
    instance: InstanceState | None
    instance_problem: str | None = None


def of_cache(settings: Settings, at: datetime, *, patience: timedelta = PATIENCE) -> CacheState:
    """Ask the cache; `patience` is how long it may be silent.

    Raises:
        CacheError: if it does not answer, or holds something else.
    """
    connected = connect(settings.redis_url, connect_timeout=patience, answer_timeout=patience)
    with contextlib.closing(connected) as connection:
        keys = CacheKeys(settings.prefix)
        coverage = Coverage(connection, keys=keys, start=settings.start)
        freshness = coverage.freshness()
        return CacheState(
            as_of=freshness.as_of if freshness else None,
            published_at=freshness.published_at if freshness else None,
            covered=tuple(coverage.read()),
            gaps=tuple(coverage.gaps(floor(at - GRACE))),
            load=Loads(connection, keys=keys).read() if settings.profile.snapshot.enabled else None,
        )


def of_instance(graphql: GraphQL) -> InstanceState:
    """Ask the instance.

    Raises:
        WebserverError: if it does not answer.
    """
    ended = runs(graphql, limit=_RUNS_LOOKED_AT, statuses=_ENDED)
    live = runs(graphql, limit=1, statuses=_ENDED, lane=run_tags.LIVE)
    failing = failing_run(live, ended)
    return InstanceState(
        automations=automations(graphql),
        ended=tuple(ended),
        unfinished=tuple(runs(graphql, limit=_RUNS_LOOKED_AT, statuses=_UNFINISHED)),
        backfills=tuple(backfills.unfinished(graphql, limit=_MOST_BACKFILLS)),
        outage=_outage(failing, cause=first_line_of_failure(graphql, failing)) if failing else None,
    )


def failing_run(live: Sequence[PipelineRun], ended: Sequence[PipelineRun]) -> PipelineRun | None:
    """Return the newest live run if it failed and no run has succeeded after it.

    Args:
        live: the live runs that have ended, newest first.
        ended: all runs that have, newest first.
    """
    newest = next(iter(live), None)
    if newest is None or not newest.failed:
        return None
    since = newest.ended or newest.created
    mended = any(run.status in SUCCEEDED and run.publishes and run.ended and run.ended > since for run in ended)
    return None if mended else newest


def provider(ended: Sequence[PipelineRun]) -> Provider:
    """Return how the provider answered, as the newest run tells that has asked it."""
    for run in sorted(ended, key=lambda run: run.ended or run.created, reverse=True):
        if run.failure and run.failure.startswith("provider_"):
            return Provider(
                state="failing",
                since=_since(run, run_tags.FAILING_SO_SINCE),
                failure=run.failure,
                permanent=_is_permanent(run),
            )
        if run.status in SUCCEEDED and run.ingests:
            return Provider(state="up", since=run.ended)
    return Provider()


def _outage(run: PipelineRun, *, cause: str | None) -> Outage:
    return Outage(failure=run.failure or "canceled", since=_since(run), permanent=_is_permanent(run), cause=cause)


def _since(run: PipelineRun, *tags: str) -> datetime:
    """Return what the first of `tags` says that is legible, else since when runs fail at all."""
    for tag in (*tags, run_tags.FAILING_SINCE):
        with contextlib.suppress(KeyError, ValueError):
            return parse_instant(run.tags[tag])
    return run.created


def _is_permanent(run: PipelineRun) -> bool:
    return run.tags.get(run_tags.PERMANENT) == "true"
