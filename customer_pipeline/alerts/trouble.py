"""What is wrong at one instant, and which windows lack because of it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from customer_pipeline.alerts.causes import MISSED, Cause
from customer_pipeline.alerts.observation import Observation, between
from customer_pipeline.alerts.state import State
from customer_pipeline.healing.gaps import common, without
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, floor

DUE_AFTER = timedelta(minutes=2)  # an ordinary tick takes less than a minute
LATE_AFTER = timedelta(minutes=15)
UNREADABLE_AFTER = timedelta(minutes=1)  # a reconnect or a failover is no outage


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why windows stay unpublished, since when, and the run that says so."""

    cause: Cause
    since: datetime
    run_id: str | None = None


def present(state: State, seen: Observation) -> Trouble | None:
    """Return what keeps the newest windows from being published."""
    if seen.gaps is None:
        since = state.unreadable_since or seen.now
        lasts = seen.now - since >= UNREADABLE_AFTER
        return Trouble(cause=seen.unreadable, since=since) if seen.unreadable and lasts else None
    live = seen.live
    if live and live.cause and common([live.windows], _lacking(state, seen)):
        return Trouble(cause=live.cause, since=live.since, run_id=live.id)
    newest = Window(floor(seen.now - LATE_AFTER) - WINDOW_LENGTH, floor(seen.now - DUE_AFTER))
    return late(state, seen) if common([newest], _counted(state, seen)) == [newest] else None


def late(state: State, seen: Observation) -> Trouble | None:
    """Return that something was due long ago and is not published, if so."""
    windows = between(_counted(state, seen), None, floor(seen.now - LATE_AFTER))
    if not windows:
        return None
    due = windows[0].start + WINDOW_LENGTH
    # What was published and got lost was due long before anything was wrong.
    sound = state.sound_at - DUE_AFTER if state.sound_at else due
    return Trouble(cause=Cause(MISSED), since=max(due, sound))


def missed(state: State, seen: Observation) -> list[Window]:
    """Return what lacks and belongs to an outage that lasts now."""
    due = between(_counted(state, seen), None, floor(seen.now - DUE_AFTER))
    failed = [seen.live.windows] if seen.live and seen.live.cause else []
    return contiguous([*due, *common(failed, _lacking(state, seen))])


def is_complete(state: State, seen: Observation) -> bool:
    """Return whether everything that was due, or that the outage missed, is published or given up."""
    lacking = _lacking(state, seen)
    of_outage = state.outage.windows if state.outage else ()
    due = between(lacking, None, floor(seen.now - DUE_AFTER))
    return seen.gaps is not None and not due and not common(of_outage, lacking)


def _lacking(state: State, seen: Observation) -> list[Window]:
    return without(seen.gaps or (), state.given_up)


def _counted(state: State, seen: Observation) -> list[Window]:
    """Return what lacks, without what the first load has still to bring."""
    starts = [start for start in (state.first_publication, state.outage and state.outage.since) if start]
    return between(_lacking(state, seen), floor(min(starts)), seen.now) if starts else []
