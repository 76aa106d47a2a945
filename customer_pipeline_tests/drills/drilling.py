"""One drill under way: the windows of its past, the ticks, the wait until nobody has anything left to do."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from customer_pipeline import run_tags
from customer_pipeline.timestamps import now
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor, split
from customer_pipeline_tests.drills import oracle
from customer_pipeline_tests.drills.alerts import AlertReceiver
from customer_pipeline_tests.drills.customers import Changes
from customer_pipeline_tests.drills.instance import DrilledRun
from customer_pipeline_tests.drills.stack import Stack, newest_window

RUN_SECONDS = 300.0
HEAL_SECONDS = 600.0
TICK_SECONDS = timedelta(minutes=2)
# The sensor looks every half minute.
ALERT_SECONDS = 120.0
# A boundary that passes between two steps of a drill would move its newest window.
_BOUNDARY_MARGIN = timedelta(seconds=5)


@dataclass(kw_only=True)
class Seen:
    """What a drill saw.

    Attributes:
        failed_runs: runs that ended without success.
        heal_runs: runs that the heal requested after the fault was over.
        heal_seconds: from the end of the first successful tick until the coverage had no gap; None without.
        notes: further facts, for the table.
        problems: what was not as it must be in the end.
        runs: every run, oldest first: what it was, when it was requested, began and ended in seconds of the drill.
        seconds: how long the whole drill took, the stack's start included.
    """

    failed_runs: int = 0
    heal_runs: int = 0
    heal_seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Drilling:
    """A stack with a past that the drill runs, window by window, as the schedule would have."""

    def __init__(self, stack: Stack, *, seed: int, alerts: AlertReceiver, windows: int | None = None) -> None:
        self.stack = stack
        self._windows = windows
        self.alerts = alerts
        self.instance = stack.instance
        self.changes = Changes(stack.provider, seed=seed)
        self.seen = Seen()
        self._started = self._fault_over = now()

    @property
    def past(self) -> list[Window]:
        """The windows from the start, or the last so many, to the newest one, which is left to the tick."""
        windows = list(split(self.stack.start_at, newest_window().start))
        return windows[-self._windows :] if self._windows else windows

    def gaps(self) -> list[Window]:
        """Return what the cache lacks now."""
        return oracle.coverage_gaps(self.stack, until=newest_window().end)

    def live(self, *ranges: Window, wait: bool = True) -> list[DrilledRun]:
        """Run windows in the live lane, and wait for the outcome."""
        ids = [self.launch(each) for each in ranges]
        return self.instance.wait_for(ids, timeout=RUN_SECONDS * len(ids)) if wait else []

    def launch(self, windows: Window) -> str:
        """Queue a live run."""
        return self._patiently(lambda: self.instance.launch(windows))

    def backfill(self, windows: Window) -> str:
        """Start a backfill, as a person does."""
        return self._patiently(lambda: self.instance.backfill(windows))

    @staticmethod
    def _patiently(request: Callable[[], str]) -> str:
        """Make a request as soon as the webserver knows the code server, which may just have been started anew."""
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            try:
                return request()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def succeed(self, *ranges: Window) -> None:
        for run in self.live(*ranges):
            self.expect(run.status == "SUCCESS", f"the run of {run.windows} was to succeed: {run.status}")

    def fail(self, *ranges: Window) -> None:
        for run in self.live(*ranges):
            self.expect(run.status == "FAILURE", f"the run of {run.windows} was to fail: {run.status}")

    def expect(self, condition: bool, complaint: str) -> None:  # noqa: FBT001 -- reads like an assertion
        if not condition:
            self.seen.problems.append(complaint)

    def note(self, text: str) -> None:
        self.seen.notes.append(text)

    def next_tick_of_the_schedule(self) -> dict[str, Any]:
        """Wait for the next boundary and return what the schedule made of it."""
        boundary = floor(now()) + WINDOW_LENGTH
        while now() < boundary + TICK_SECONDS:
            for tick in self.instance.ticks("customer_sync_schedule"):
                if tick["timestamp"] >= boundary.timestamp() and tick["status"] != "STARTED":
                    return tick
            time.sleep(1)
        raise TimeoutError(f"the schedule has no tick of {boundary}")

    def wait_for_alert(self, event: str, *, seconds: float = ALERT_SECONDS) -> None:
        """Wait until the webhook was told of an event; complain when it was not, or more than once."""
        deadline = time.monotonic() + seconds
        while event not in self.alerts.events() and time.monotonic() < deadline:
            time.sleep(0.25)
        count = self.alerts.events().count(event)
        self.expect(count == 1, f"{count} alerts {event} instead of one: {self.alerts.events()}")

    def outage(self, windows: list[Window]) -> None:
        """Run windows that are bound to fail: the first and the last as ticks, those between as a range."""
        self.fail(windows[0], whole(windows[1:-1]), windows[-1])

    def tick(self) -> datetime:
        """Run the newest window until it succeeds, as the schedule does at each boundary; return when it did."""
        self._fault_over = now()
        deadline = time.monotonic() + HEAL_SECONDS
        while time.monotonic() < deadline:
            (run,) = self.live(newest_window())
            if run.status == "SUCCESS" and run.ended:
                return run.ended
        raise TimeoutError("no tick succeeded")

    def watch(
        self, since: datetime, *, limit_seconds: float = HEAL_SECONDS, accepted: list[Window] | None = None
    ) -> None:
        """Do nothing until the coverage has no gap but the accepted ones and no run is left; then compare.

        What was published by a worker that was killed afterwards is red in Dagster until the heal has repeated it.
        """
        until = newest_window().end
        span = Window(self.stack.start_at, until)
        deadline = time.monotonic() + limit_seconds
        covered_at: datetime | None = None
        while time.monotonic() < deadline:
            if covered_at is None and oracle.coverage_gaps(self.stack, until=until) == (accepted or []):
                covered_at = now()
            if covered_at is not None and self._is_at_rest() and (accepted or not oracle.not_green(self.stack, [span])):
                break
            time.sleep(1)
        self.count()
        if covered_at is not None:
            self.seen.heal_seconds = (covered_at - since).total_seconds()
        if not accepted:
            self.seen.problems += oracle.problems(self.stack, [span], until=until)

    def _is_at_rest(self) -> bool:
        return not self.instance.unfinished() and not self.instance.backfills_in_progress()

    def count(self) -> None:
        """Write down what runs there were."""
        runs = self.instance.runs(since=self._started)
        self.seen.runs = [self._line(run) for run in reversed(runs)]
        self.seen.failed_runs = sum(run.status in {"FAILURE", "CANCELED"} for run in runs)
        healing = [run for run in runs if run.lane == run_tags.HEAL]
        self.seen.heal_runs = sum(run.created >= self._fault_over for run in healing)
        if early := len(healing) - self.seen.heal_runs:
            self.note(f"{early} heal runs during the fault")

    def _line(self, run: DrilledRun) -> str:
        instants = (run.created, run.started, run.ended)
        seconds = ["-" if at is None else f"{(at - self._started).total_seconds():.0f}" for at in instants]
        count = "?" if run.windows is None else str((run.windows.end - run.windows.start) // WINDOW_LENGTH)
        return f"{run.lane or 'person'} x{count} {run.status} {run.tags.get(run_tags.FAILURE, '')} {'/'.join(seconds)}"


def whole(windows: list[Window]) -> Window:
    """Return contiguous windows as one range."""
    return Window(windows[0].start, windows[-1].end)


@contextmanager
def drilling(
    *,
    windows: int,
    seed: int = 1,
    own_disk: bool = False,
    customers: int = 0,
    profile: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Drilling]:
    """Start a stack whose past has so many windows before the newest one; end it in any case."""
    started = time.monotonic()
    drill: Drilling | None = None
    try:
        with stack_with_past(
            windows=windows, own_disk=own_disk, customers=customers, profile=profile, environ=environ
        ) as (
            stack,
            alerts,
        ):
            drill = Drilling(stack, seed=seed, alerts=alerts)
            yield drill
    finally:
        if drill is not None:
            drill.seen.seconds = time.monotonic() - started


@contextmanager
def stack_with_past(
    *,
    windows: int,
    own_disk: bool,
    warm: bool = False,
    customers: int = 0,
    profile: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[tuple[Stack, AlertReceiver]]:
    """Start a stack for drills, and what receives its alerts; end both in any case."""
    left = floor(now()) + WINDOW_LENGTH - now()
    if left < _BOUNDARY_MARGIN:
        time.sleep(left.total_seconds() + 1)
    start = newest_window().start - windows * WINDOW_LENGTH
    with tempfile.TemporaryDirectory(prefix="drill-") as folder, AlertReceiver() as alerts:
        further = {"ALERT_WEBHOOK_URL": alerts.url, **(environ or {})}
        with Stack(
            Path(folder) / "stack",
            start=start,
            own_disk=own_disk,
            environ=further,
            warm=warm,
            customers=customers,
            profile=profile,
        ) as stack:
            yield stack, alerts
