"""What to request next, so that every gap is published without a person. Pure: the clock and the world are arguments.

- Nothing is requested before the newest window that has ended is published, or the whole cache was loaded after its
  end. That is the proof that the provider is back, and what fails without it is not held against a range.
- Gaps are requested newest first, few at a time.
- What fails is tried again, cut, and given up window by window at last (`verdict`); it never holds up the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from customer_pipeline.healing import words
from customer_pipeline.healing.gaps import LARGEST_RANGE, common, count, ended, gaps, missing, near, without
from customer_pipeline.healing.memory import Attempt, Memory
from customer_pipeline.healing.verdict import HealRun, Verdict, is_due, judge
from customer_pipeline.timestamps import format_instant
from customer_pipeline.windows import WINDOW_LENGTH, Window

__all__ = ["Decision", "HealRun", "Memory", "Request", "Situation", "decide"]

# The creation of a run writes an event for each window, and one heal runs at a time anyway.
MOST_OUTSTANDING = 3
MOST_PLANNED = LARGEST_RANGE
# So many windows that were given up are tried again, the newest; more of them are no accident.
MOST_GIVEN_UP = 144
# A request becomes a run within the evaluation that made it, or when a daemon that was ended in between starts again.
LOST_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """The world as an evaluation finds it. The cache is read last, so that a run which has ended has published.

    Attributes:
        now: the present.
        start: where the pipeline's first window starts.
        coverage: what is published.
        red: windows whose last run failed, be they published or not.
        in_progress: what any run or backfill works on or is queued for.
        runs: the heal's own: all that have not ended, and the newest that have, newest first.
        configuration: its fingerprint.
        loaded_at: when the whole cache was loaded from the provider last, if ever.
    """

    now: datetime
    start: datetime
    coverage: Sequence[Window]
    red: Sequence[Window] = ()
    in_progress: Sequence[Window] = ()
    runs: Sequence[HealRun] = ()
    configuration: str = ""
    loaded_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A run to be requested: its range, a key that no other has, and what a person reads of it."""

    windows: Window
    run_key: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to request, what to remember, and what to tell a person."""

    requests: list[Request] = field(default_factory=list)
    memory: Memory
    says: str


def decide(situation: Situation, memory: Memory) -> Decision:
    """Return what to request now, given what is remembered of earlier evaluations."""
    memory = memory.under(situation.configuration)
    windows = ended(situation.start, situation.now)
    if windows is None:
        return Decision(memory=memory, says="the first window has not ended yet")
    newest = Window(windows.end - WINDOW_LENGTH, windows.end)
    loaded = situation.loaded_at is not None and situation.loaded_at >= windows.end
    proven = loaded or not missing(situation.coverage, newest)
    holes = missing(without(situation.coverage, situation.red), windows)
    memory = _reviewed(memory, situation, holes=holes, newest_end=windows.end if proven else None)
    chosen = _chosen(memory, situation, windows=windows) if proven else []
    requests = [_request(attempt, now=situation.now) for attempt in chosen]
    requested = [
        replace(attempt, run_key=request.run_key, requested=situation.now)
        for attempt, request in zip(chosen, requests, strict=True)
    ]
    attempts = [*(attempt for attempt in memory.attempts if attempt not in chosen), *requested]
    memory = replace(memory, attempts=tuple(sorted(attempts, key=lambda attempt: attempt.windows)))
    says = words.explain(
        memory, holes=holes, in_progress=situation.in_progress, unproven=None if proven else newest, now=situation.now
    )
    return Decision(requests=requests, memory=memory, says=says)


def _reviewed(memory: Memory, situation: Situation, *, holes: list[Window], newest_end: datetime | None) -> Memory:
    """Return the memory after a look at what became of each attempt; `newest_end` is None without the proof."""
    verdicts = [_review(attempt, situation, holes=holes, newest_end=newest_end) for attempt in memory.attempts]
    attempts = [attempt for verdict in verdicts for attempt in verdict.attempts]
    settled = [*memory.settled, *(window for verdict in verdicts for window in verdict.settled)]
    given_up = [attempt for attempt in attempts if attempt.given_up and not attempt.outstanding]
    too_many = sorted(given_up, key=lambda attempt: attempt.windows)[:-MOST_GIVEN_UP]
    settled += [attempt.windows for attempt in too_many]
    return replace(
        memory,
        attempts=tuple(attempt for attempt in attempts if attempt not in too_many),
        # what was published by other means needs nobody any more
        settled=tuple(common(settled, holes)),
    )


def _review(attempt: Attempt, situation: Situation, *, holes: list[Window], newest_end: datetime | None) -> Verdict:
    left = common([attempt.windows], near(attempt.windows, holes))
    if attempt.outstanding and left:
        runs = [run for run in situation.runs if run.run_key == attempt.run_key]
        if not all(run.ended for run in runs) or (not runs and _may_appear(attempt, situation.now)):
            return Verdict([attempt])
        if runs and newest_end:
            verdicts = [judge(attempt, runs[0], left=one, now=situation.now, newest_end=newest_end) for one in left]
            return Verdict(
                [one for verdict in verdicts for one in verdict.attempts],
                [one for verdict in verdicts for one in verdict.settled],
            )
    idle = [attempt.idle(one) for one in left]
    return Verdict([one for one in idle if one != Attempt(windows=one.windows)])


def _may_appear(attempt: Attempt, now: datetime) -> bool:
    """Return whether a request of which no run is seen may become one; not if it lies in the future."""
    return attempt.requested is not None and attempt.requested <= now < attempt.requested + LOST_AFTER


def _chosen(memory: Memory, situation: Situation, *, windows: Window) -> list[Attempt]:
    seen = {run.run_key for run in situation.runs}
    outstanding = sum(not run.ended for run in situation.runs) + sum(
        attempt.outstanding and attempt.run_key not in seen for attempt in memory.attempts
    )
    chosen: list[Attempt] = []
    for attempt in _candidates(memory, situation, windows=windows):
        planned = count(one.windows for one in [*chosen, attempt])
        if outstanding + len(chosen) >= MOST_OUTSTANDING or planned * WINDOW_LENGTH > MOST_PLANNED:
            break
        chosen.append(attempt)
    return chosen


def _candidates(memory: Memory, situation: Situation, *, windows: Window) -> list[Attempt]:
    """Return what may be requested, newest first."""
    outstanding = [attempt.windows for attempt in memory.attempts if attempt.outstanding]
    busy = [*situation.in_progress, *outstanding]
    idle = [attempt for attempt in memory.attempts if not attempt.outstanding]
    ready = [
        attempt
        for attempt in idle
        if is_due(attempt, now=situation.now, newest_end=windows.end) and not common([attempt.windows], busy)
    ]
    known = [*busy, *memory.settled, *(attempt.windows for attempt in idle)]
    published = without(situation.coverage, situation.red)
    fresh = [Attempt(windows=one) for one in gaps(published, windows, known)]
    return sorted([*ready, *fresh], key=lambda attempt: attempt.windows, reverse=True)


def _request(attempt: Attempt, *, now: datetime) -> Request:
    return Request(
        windows=attempt.windows,
        run_key=f"heal {words.span(attempt.windows)} at {format_instant(now)}",
        reason=words.reason(attempt),
    )
