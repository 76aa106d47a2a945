"""When an outage starts and when it has healed: a pure state machine, one message each.

An outage is what readers would notice: the cache goes stale. It starts when the newest live run failed, when a window
was due for a quarter of an hour and is not published, or when the cache cannot be read. It has healed when everything
that was due is published, given-up windows apart. A tick that succeeds while windows still lack does not end it.
"""

from dataclasses import replace
from datetime import timedelta

from customer_pipeline.alerts.messages import Event, Message
from customer_pipeline.alerts.observation import Observation
from customer_pipeline.alerts.state import Outage, State, bounded
from customer_pipeline.alerts.trouble import Trouble, is_complete, late, missed, present
from customer_pipeline.healing.gaps import common, count, without
from customer_pipeline.windows import contiguous

CALM_AFTER = timedelta(hours=1)  # trouble after so much calm is told again, though older windows may still lack


def observe(state: State, seen: Observation) -> tuple[State, list[Message]]:
    """Return the next state, and what is to be told now."""
    state = replace(
        state,
        first_publication=state.first_publication or seen.first_publication,
        unreadable_since=(state.unreadable_since or seen.now) if seen.gaps is None else None,
    )
    state, messages = _give_up(state, seen)
    trouble = present(state, seen)
    if state.outage:
        state, more = _go_on(state, state.outage, trouble, seen)
    elif trouble := trouble or late(state, seen):
        state, more = _start(state, trouble, seen)
    else:
        state, more = _rest(state, seen), []
    return state, messages + more


def _give_up(state: State, seen: Observation) -> tuple[State, list[Message]]:
    if seen.gaps is None:
        return state, []
    new = common(without(seen.given_up, state.given_up), seen.gaps)
    known = common([*state.given_up, *seen.given_up], seen.gaps)
    state = replace(state, given_up=bounded(known))
    if not new:
        return state, []
    message = Message(event="windows_given_up", at=seen.now, windows=count(new), given_up=tuple(new))
    if state.outage:
        message = replace(message, outage=state.outage.noticed, since=state.outage.since, cause=state.outage.cause)
    return state, [message]


def _rest(state: State, seen: Observation) -> State:
    sound = seen.gaps is not None and not missed(state, seen)
    return replace(state, sound_at=seen.now) if sound else state


def _start(state: State, trouble: Trouble, seen: Observation) -> tuple[State, list[Message]]:
    # A run that fails after a night without any run is not when it began.
    earlier = late(state, seen) or trouble
    since = min(trouble.since, earlier.since)
    outage = Outage(
        noticed=seen.now,
        since=since,
        cause=trouble.cause.kind,
        permanent=trouble.cause.permanent,
        counted_until=since,
    )
    outage = replace(outage, windows=bounded(missed(replace(state, outage=outage), seen)))
    return replace(state, outage=outage), [_message("outage_started", outage, trouble, seen)]


def _go_on(state: State, outage: Outage, trouble: Trouble | None, seen: Observation) -> tuple[State, list[Message]]:
    outage = _counted(replace(outage, windows=bounded(contiguous([*outage.windows, *missed(state, seen)]))), seen)
    state = replace(state, outage=outage)
    if trouble:
        outage, messages = _trouble_lasts(outage, trouble, seen)
        return replace(state, outage=outage), messages
    if is_complete(state, seen):
        return replace(state, outage=None, sound_at=seen.now), [_healed(state, outage, seen)]
    if seen.gaps is not None:
        outage = replace(outage, calm_since=outage.calm_since or seen.now)
    return replace(state, outage=outage), []


def _counted(outage: Outage, seen: Observation) -> Outage:
    new = [each for each in seen.publications if each.at > outage.counted_until]
    return replace(
        outage,
        changed=outage.changed + sum(each.changed for each in new if common([each.window], outage.windows)),
        counted_until=max([outage.counted_until, *(each.at for each in new)]),
    )


def _trouble_lasts(outage: Outage, trouble: Trouble, seen: Observation) -> tuple[Outage, list[Message]]:
    calm_since, cause = outage.calm_since, trouble.cause
    told = replace(outage, calm_since=None)
    if calm_since and seen.now - calm_since >= CALM_AFTER:
        told = replace(told, cause=cause.kind, permanent=cause.permanent)
        return told, [_message("outage_returned", told, trouble, seen)]
    if cause.permanent and not outage.permanent:
        told = replace(told, cause=cause.kind, permanent=True)
        return told, [_message("needs_person", told, trouble, seen)]
    return told, []


def _healed(state: State, outage: Outage, seen: Observation) -> Message:
    given_up = common(outage.windows, state.given_up)
    return Message(
        event="outage_healed",
        at=seen.now,
        outage=outage.noticed,
        since=outage.since,
        cause=outage.cause,
        windows=count(outage.windows) - count(given_up),
        given_up=tuple(given_up),
        customers_changed=outage.changed,
    )


def _message(event: Event, outage: Outage, trouble: Trouble, seen: Observation) -> Message:
    # A cache that cannot be read does not say what lacks; what lacked before still does.
    missing = outage.windows if seen.gaps is None else common(outage.windows, seen.gaps)
    return Message(
        event=event,
        at=seen.now,
        outage=outage.noticed,
        since=outage.since,
        cause=outage.cause,
        permanent=outage.permanent,
        windows=count(missing),
        run_id=trouble.run_id,
    )
