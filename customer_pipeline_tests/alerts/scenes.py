"""Observations as the tests write them: minutes of one night, and windows by the minute of their start."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from customer_pipeline.alerts.causes import Cause
from customer_pipeline.alerts.jobs import observe_jobs
from customer_pipeline.alerts.memory import Memory
from customer_pipeline.alerts.messages import Message
from customer_pipeline.alerts.observation import JobRun, LiveRun, Observation, Published
from customer_pipeline.alerts.outage import observe
from customer_pipeline.alerts.state import State
from customer_pipeline.healing.gaps import without
from customer_pipeline.windows import Window, contiguous, floor

START = datetime(2026, 11, 23, tzinfo=UTC)
DOWN = Cause("provider_unavailable")
REFUSED = Cause("provider_rejected", permanent=True)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def span(first: float, last: float) -> Window:
    """The windows between two minutes."""
    return Window(at(first), at(last))


@dataclass
class Night:
    """A pipeline that is observed; `told` is everything it said."""

    state: State = field(default_factory=State)
    published: list[Window] = field(default_factory=lambda: [span(-600, 0)])
    first_publication: datetime | None = field(default_factory=lambda: at(-600))
    live: LiveRun | None = None
    given_up: tuple[Window, ...] = ()
    unreadable: Cause | None = None
    publications: list[Published] = field(default_factory=list)
    jobs: dict[str, JobRun] = field(default_factory=dict)
    told: list[Message] = field(default_factory=list)

    def tick(self, minute: float, cause: Cause | None = None, *, since: float | None = None) -> None:
        """A live run ends half a minute after `minute`, with the window that ends there."""
        window = span(minute - 10, minute)
        failing_since = at(minute + 0.5 if since is None else since)
        self.live = LiveRun(id=f"run-{minute}", windows=window, cause=cause, since=failing_since)
        if cause is None:
            self.publish(window, minute + 0.5)

    def end(self, job: str, minute: float, cause: Cause | None = None, *, told: str | None = None) -> None:
        """A run of a job ends, well without a cause and a line."""
        failed = bool(cause or told)
        self.jobs[job] = JobRun(job=job, id=f"{job}-{minute}", ended=at(minute), failed=failed, cause=cause, told=told)

    def publish(self, windows: Window, minute: float, *, changed: int = 10) -> None:
        self.published = contiguous([*self.published, windows])
        start = windows.start
        while start < windows.end:
            window = Window(start, start + timedelta(minutes=10))
            self.publications.append(Published(window=window, at=at(minute), changed=changed))
            start = window.end

    def lose(self, windows: Window) -> None:
        self.published = without(self.published, [windows])

    def look(self, minute: float) -> list[str]:
        """One evaluation; return the events that it tells."""
        now = at(minute)
        everything = Window(at(-600), floor(now))
        seen = Observation(
            now=now,
            gaps=None if self.unreadable else tuple(without([everything], self.published)),
            unreadable=self.unreadable,
            live=self.live,
            given_up=self.given_up,
            first_publication=self.first_publication,
            publications=self._publications(),
            jobs=list(self.jobs.values()),
        )
        self.state, messages = observe(self.state, seen)
        self.state, of_jobs = observe_jobs(self.state, seen)
        messages += of_jobs
        assert Memory.parse(Memory(state=self.state).dump()).state == self.state
        self.told += messages
        return [message.event for message in messages]

    def _publications(self) -> Sequence[Published]:
        after = self.state.publications_after
        return [each for each in self.publications if after and each.at > after]
