"""What becomes of a range whose run has ended while some of it is still missing. Pure.

A failure that trying again may mend is tried again; then the range is cut, down to the window that is the cause, so
that the others are published. What no trying mends is cut at once where it lies in the windows, and so is what ended
without a word: it may be too large. A window that fails alone, time and again, is given up: a person is told, and it is
tried seldom from then on; where trying does not mend it, never. A refusal that may
concern every window, such as that of the credentials, is held against a range only if it meets it again after a newer
window was published; what is cut out of it begins anew, because the provider may have begun to refuse everything since.
What a person canceled is asked for again, later each time.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from customer_pipeline.healing.gaps import count
from customer_pipeline.healing.memory import Attempt
from customer_pipeline.windows import WINDOW_LENGTH, Window, subtract

TRIES_OF_A_RANGE = 3
TRIES_OF_A_WINDOW = 5
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=1)
# Of a window for which a person was asked: it may yet be mended at the provider.
LONGEST_DELAY_GIVEN_UP = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True, slots=True)
class HealRun:
    """A run that was requested to heal.

    Attributes:
        run_key: of its request.
        ended: whether it has.
        permanent: whether it failed in a way that trying again does not mend.
        local: whether what failed lies in its windows, rather than in what all windows need.
        canceled: whether a person has ended it.
        told: whether it has said why it failed; one that was killed or took too long has not.
        failed_window: the window in which it failed, where it says so.
    """

    run_key: str
    ended: bool
    permanent: bool = False
    local: bool = False
    canceled: bool = False
    told: bool = True
    failed_window: Window | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows: ranges to request again, and windows that are asked for no more."""

    attempts: list[Attempt] = field(default_factory=list)
    settled: list[Window] = field(default_factory=list)


def judge(attempt: Attempt, run: HealRun, *, left: Window, now: datetime, newest_end: datetime) -> Verdict:
    """Judge the failure of `left`, which the ended `run` of `attempt` did not publish.

    Args:
        attempt: what was requested.
        run: how it ended.
        left: a range of it that is still missing.
        now: the present.
        newest_end: the end of the newest published window.
    """
    again = replace(attempt.idle(left), tries=attempt.tries + 1, failed=now)
    if run.canceled:
        return Verdict([again])
    if run.permanent and not run.local and not attempt.doubted:
        return Verdict([replace(again, failed=None, doubted=newest_end)])
    if again.single:
        if run.permanent:
            return Verdict(settled=[left])
        return Verdict([replace(again, given_up=again.tries >= TRIES_OF_A_WINDOW)])
    if run.told and not run.permanent and not attempt.part and again.tries < TRIES_OF_A_RANGE:
        return Verdict([again])
    parts = cut(left, run.failed_window)
    return Verdict([Attempt(windows=part, part=True) for part in parts])


def cut(windows: Window, failed: Window | None) -> list[Window]:
    """Return the parts of a range: the window that failed and what lies beside it, or two halves."""
    if failed and windows.start <= failed.start and failed.end <= windows.end and failed != windows:
        return sorted([failed, *subtract(windows, [failed])])
    middle = windows.start + count([windows]) // 2 * WINDOW_LENGTH
    return [Window(windows.start, middle), Window(middle, windows.end)]


def due_at(attempt: Attempt) -> datetime | None:
    """Return when a range may be requested again; None where it may at once."""
    if attempt.failed is None:
        return None
    longest = LONGEST_DELAY_GIVEN_UP if attempt.given_up else LONGEST_DELAY
    return attempt.failed + min(longest, FIRST_DELAY * float(2 ** min(attempt.tries - 1, 20)))


def is_due(attempt: Attempt, *, now: datetime, newest_end: datetime) -> bool:
    """Return whether a range may be requested; one that failed in the future, by a clock that was set back, may."""
    if attempt.doubted == newest_end:
        return False
    due = due_at(attempt)
    return not (due and attempt.failed and attempt.failed <= now < due)
