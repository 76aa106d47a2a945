"""A world in which the heal is simulated: a provider that is up or down, windows that fail, one run at a time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from customer_pipeline.healing.plan import Decision, HealRun, Memory, Request, Situation, decide
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, floor, split, subtract

START = datetime(2026, 11, 1, tzinfo=UTC)
# Not a whole number of seconds: a real clock that is set back does not show the same microsecond again.
EVALUATION = timedelta(seconds=30, microseconds=1)


def windows(first: int, length: int = 1) -> Window:
    """Return the range that begins with the window of a number, counted from the start."""
    return Window(START + first * WINDOW_LENGTH, START + (first + length) * WINDOW_LENGTH)


def numbers(ranges: Iterable[Window]) -> set[int]:
    """Return the numbers of the windows of ranges."""
    return {(one.start - START) // WINDOW_LENGTH for range_ in ranges for one in split(range_.start, range_.end)}


@dataclass
class Poison:
    """Why a window always fails: for good, named by the run, by its own fault?"""

    permanent: bool
    named: bool
    local: bool = True


@dataclass
class Run:
    request: Request
    ended: bool = False
    permanent: bool = False
    local: bool = False
    canceled: bool = False
    told: bool = True
    failed_window: Window | None = None


@dataclass
class World:
    """It is moved on by `evaluate`, which also runs the sensor once; runs end between two evaluations."""

    now: datetime
    coverage: list[Window] = field(default_factory=list)
    poison: dict[int, Poison] = field(default_factory=dict)
    up: bool = True
    live: bool = True
    rejecting: bool = False
    configuration: str = "a"
    memory: Memory = field(default_factory=Memory)
    runs: list[Run] = field(default_factory=list)
    deleted: list[Run] = field(default_factory=list)
    in_progress: list[Window] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    largest_cursor: int = 0
    damaged_cursor: str = ""
    latest: datetime = START
    canceling: bool = False
    longest_run: timedelta = timedelta.max
    has_been_down: bool = False
    has_rejected: bool = False

    def publish(self, *ranges: Window) -> None:
        self.coverage = contiguous([*self.coverage, *ranges])

    def tick(self) -> None:
        """Publish the newest window, if the schedule runs and the provider is there."""
        end = floor(self.now)
        newest = Window(end - WINDOW_LENGTH, end)
        if self.live and self.up and not self.rejecting and not numbers([newest]) & set(self.poison):
            self.publish(newest)

    def situation(self) -> Situation:
        open_runs = [run.request.windows for run in self.runs if not run.ended]
        return Situation(
            now=self.now,
            start=START,
            coverage=self.coverage,
            in_progress=[*self.in_progress, *open_runs],
            runs=[
                HealRun(
                    run_key=run.request.run_key,
                    ended=run.ended,
                    permanent=run.permanent,
                    local=run.local,
                    canceled=run.canceled,
                    told=run.told,
                    failed_window=run.failed_window,
                )
                for run in reversed(self.runs)
                if not run.ended or run in self.runs[-20:]
            ],
            configuration=self.configuration,
        )

    def evaluate(self) -> Decision:
        """Run the sensor once, as after a restart: all that it remembers comes from the cursor."""
        self.latest = max(self.latest, self.now)
        cursor, self.damaged_cursor = self.damaged_cursor or self.memory.dump(), ""
        self.largest_cursor = max(self.largest_cursor, len(cursor))
        decision = decide(self.situation(), Memory.parse(cursor))
        self._require_sound(decision)
        self.memory = decision.memory
        self.runs += [Run(request) for request in decision.requests]
        self.decisions.append(decision)
        return decision

    def _require_sound(self, decision: Decision) -> None:
        """Whatever happens: nothing is requested twice, too much, or that is published, in progress or given up."""
        open_runs = [run.request.windows for run in self.runs if not run.ended]
        asked = [request.windows for request in decision.requests]
        assert len(numbers(asked)) == sum((one.end - one.start) // WINDOW_LENGTH for one in asked)
        assert not numbers(asked) & numbers([*open_runs, *self.in_progress, *self.coverage])
        assert len(asked) + len(open_runs) <= 3
        assert len(numbers(asked)) <= 144
        assert all(one.start >= START and one.end <= self.now for one in asked)
        assert asked == sorted(asked, reverse=True)
        keys = [run.request.run_key for run in [*self.runs, *self.deleted]]
        assert not {request.run_key for request in decision.requests} & set(keys)

    def work(self, *, most: int = 1) -> None:
        """End the first open runs: what precedes a poison window is fetched, nothing of the range is published."""
        for run in [run for run in self.runs if not run.ended][:most]:
            run.ended = True
            range_ = run.request.windows
            poisoned = [number for number in sorted(numbers([range_])) if number in self.poison]
            if self.canceling:
                run.canceled = True
            elif range_.end - range_.start > self.longest_run:
                run.told = False
            elif self.rejecting:
                run.permanent = True
                run.failed_window = Window(range_.start, range_.start + WINDOW_LENGTH)
            elif not self.up:
                continue
            elif poisoned:
                cause = self.poison[poisoned[0]]
                run.permanent, run.local = cause.permanent, cause.local
                run.failed_window = windows(poisoned[0]) if cause.named else None
            else:
                self.publish(range_)

    def step(self, *, most: int = 1) -> Decision:
        """Let half a minute pass: live ticks, runs, one evaluation."""
        before = floor(self.now)
        self.now += EVALUATION
        if floor(self.now) != before:
            self.tick()
        self.work(most=most)
        return self.evaluate()

    def steps(self, number: int) -> None:
        for _ in range(number):
            self.step()

    @property
    def missing(self) -> set[int]:
        """The numbers of the windows that have ended and are not published."""
        return numbers(subtract(Window(START, floor(self.now)), self.coverage))

    @property
    def given_up(self) -> set[int]:
        return numbers(self.memory.given_up)

    @property
    def requested(self) -> list[Window]:
        return [run.request.windows for run in self.runs]
