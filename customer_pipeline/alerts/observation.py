"""What one evaluation of the sensor sees. Pure: nothing is read here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from customer_pipeline.alerts.causes import Cause
from customer_pipeline.windows import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveRun:
    """The newest live run that has ended.

    Attributes:
        id: the run's id.
        windows: what it was to publish.
        cause: why it failed; None when it did not.
        since: since when runs fail.
    """

    id: str
    windows: Window
    cause: Cause | None
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRun:
    """The newest run of a job that has ended.

    Attributes:
        job: the job's name.
        id: the run's id.
        ended: when it ended.
        failed: whether it did so without success.
        cause: why; None where it succeeded, or its tags do not say.
        told: the line by which it explains its failure, if it does and it is new.
    """

    job: str
    id: str
    ended: datetime
    failed: bool
    cause: Cause | None = None
    told: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One publication: the window, when, and how many customers it changed."""

    window: Window
    at: datetime
    changed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What is so at one instant.

    Attributes:
        now: the instant.
        gaps: what was not published until now, oldest first; None when the cache cannot be read.
        unreadable: why it cannot be read.
        live: the newest live run that has ended, if any.
        given_up: the windows that the heal has given up.
        first_publication: when this instance first published anything; None before.
        publications: what was published since `State.publications_after`; more does no harm.
        jobs: the newest run of each job beside the windows that has ended.
    """

    now: datetime
    gaps: tuple[Window, ...] | None
    unreadable: Cause | None = None
    live: LiveRun | None = None
    given_up: tuple[Window, ...] = ()
    first_publication: datetime | None = None
    publications: Sequence[Published] = ()
    jobs: Sequence[JobRun] = ()


def between(windows: Iterable[Window], start: datetime | None, end: datetime) -> list[Window]:
    """Return the parts of `windows` that lie in `[start, end)`; without a start, before `end`."""
    found = []
    for window in windows:
        first, last = max(window.start, start or window.start), min(window.end, end)
        if first < last:
            found.append(Window(first, last))
    return found
