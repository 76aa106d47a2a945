"""What one evaluation leaves to the next: the outage that lasts, and what was told already."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from customer_pipeline.alerts.messages import Instant, Interval
from customer_pipeline.windows import Window

_MOST_INTERVALS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """An outage that has been told of.

    Attributes:
        noticed: when it was.
        since: since when the cache is stale.
        cause: its kind.
        permanent: whether it was told that a person is needed.
        windows: what was missed in it, healed or not.
        changed: how many customers the healed windows changed so far.
        counted_until: the newest publication that `changed` has seen.
        calm_since: since when nothing keeps new windows from being published; None while something does.
    """

    noticed: Instant
    since: Instant
    cause: str
    permanent: bool
    windows: tuple[Interval, ...] = ()
    changed: int = 0
    counted_until: Instant
    calm_since: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobState:
    """What is known of a job beside the windows.

    Attributes:
        seen_until: what ended until then is known.
        failing_since: when the failure ended that was told; None unless the job fails.
    """

    seen_until: Instant
    failing_since: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The state of the alerts.

    Attributes:
        outage: the one that lasts, if any.
        given_up: the windows that were told as given up, as long as they lack.
        sound_at: when everything that was due was published last.
        unreadable_since: since when the cache cannot be read.
        first_publication: when this instance first published anything; what was due before is left to the first load.
        jobs: by name; one that is not there was never looked at.
    """

    outage: Outage | None = None
    given_up: tuple[Interval, ...] = ()
    sound_at: Instant | None = None
    unreadable_since: Instant | None = None
    first_publication: Instant | None = None
    jobs: Mapping[str, JobState] = field(default_factory=dict)

    @property
    def publications_after(self) -> datetime | None:
        """From when on the next observation needs the publications; None where it needs none."""
        return self.outage.counted_until if self.outage else None

    def is_news(self, job: str, ended: datetime) -> bool:
        """Return whether a run of a job that ended then was not seen yet."""
        known = self.jobs.get(job)
        return known is not None and ended > known.seen_until


def bounded(windows: list[Window]) -> tuple[Window, ...]:
    """Return `windows`, the oldest of them bridged where there are too many to be remembered one by one."""
    extra = len(windows) - _MOST_INTERVALS
    if extra <= 0:
        return tuple(windows)
    return (Window(windows[0].start, windows[extra].end), *windows[extra + 1 :])
