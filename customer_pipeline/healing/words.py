"""What a person reads of the heal: why a run was requested, and why nothing is. Pure."""

from collections.abc import Sequence
from datetime import datetime

from customer_pipeline.healing.gaps import common, count, without
from customer_pipeline.healing.memory import Attempt, Memory
from customer_pipeline.healing.verdict import due_at
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor

_MOST_NAMED = 5


def span(windows: Window) -> str:
    """Return the keys of a range's first and last window, such as `2026-11-23T0100Z..0750Z`."""
    first, last = windows.key, Window(windows.end - WINDOW_LENGTH, windows.end).key
    if first == last:
        return first
    day, _, time = last.partition("T")
    return f"{first}..{time if first.startswith(day) else last}"


def reason(attempt: Attempt) -> str:
    """Return why a range is requested."""
    if attempt.doubted and not attempt.part:
        return f"gap {span(attempt.windows)}, once more: a newer window was published since it was refused"
    part = ", part of a range that failed" if attempt.part else ""
    return f"gap {span(attempt.windows)}, try {attempt.tries + 1}{part}"


def explain(
    memory: Memory, *, holes: Sequence[Window], in_progress: Sequence[Window], unproven: Window | None, now: datetime
) -> str:
    """Return why no more is requested than is.

    Args:
        memory: after the evaluation.
        holes: what is missing.
        in_progress: what other runs work on.
        unproven: the newest window, where it is not published.
        now: the present.
    """
    if not holes:
        return "nothing is missing"
    requested = [attempt.windows for attempt in memory.attempts if attempt.outstanding]
    given_up = without(common(memory.given_up, holes), requested)
    busy = without(common(holes, [*in_progress, *requested]), given_up)
    rest = without(holes, [*busy, *given_up])
    due = {attempt.windows: due_at(attempt) for attempt in memory.attempts if not attempt.outstanding}
    later = {windows: instant for windows, instant in due.items() if instant and instant > now}
    delayed = common(rest, later)
    refused = common(rest, [attempt.windows for attempt in memory.attempts if attempt.doubted == floor(now)])
    said = []
    if busy:
        said.append(f"{_windows(busy)} queued or under way")
    if unproven:
        said.append(
            f"waiting for window {unproven.key} to be published: the proof that the provider is back; "
            f"{_windows(rest)} wait"
        )
    else:
        if turn := without(rest, [*delayed, *refused]):
            said.append(f"{_windows(turn)} wait for their turn")
        if delayed:
            said.append(f"{_windows(delayed)} wait for their next try, the first until {min(later.values()):%H:%M:%S}Z")
        if refused:
            said.append(f"{_windows(refused)} refused, asked once more after the next window is published")
    if given_up:
        said.append(
            f"given up: {_named(given_up)}; needs a person: read the runs' failures, correct the cause, and "
            "materialize these windows"
        )
    return "; ".join(said)


def _named(ranges: Sequence[Window]) -> str:
    newest = [span(one) for one in sorted(ranges, reverse=True)]
    more = len(newest) - _MOST_NAMED
    return ", ".join(newest[:_MOST_NAMED]) + (f" and {more} more ranges" if more > 0 else "")


def _windows(ranges: Sequence[Window]) -> str:
    number = count(ranges)
    return f"{number} window{'' if number == 1 else 's'}"
