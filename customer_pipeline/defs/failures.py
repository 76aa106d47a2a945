"""From errors to Dagster failures: the whole story in one sentence and in the run's tags, before any traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeAlias

import dagster as dg

from customer_pipeline import run_tags, timestamps
from customer_pipeline.defs import outages
from customer_pipeline.defs.causes import Cause, cause_of
from customer_pipeline.windows import Window

# Retries inside a run cover seconds; they are for transient failures only (`allow_retries` below).
transient_retries = dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL)

Context: TypeAlias = dg.AssetExecutionContext | dg.OpExecutionContext

_TRIES = transient_retries.max_retries + 1
_HEALS = "heals by itself when a later tick succeeds"
_TAGS = (
    run_tags.FAILURE,
    run_tags.PERMANENT,
    run_tags.FAILED_WINDOW,
    run_tags.FAILING_SINCE,
    run_tags.FAILING_SO_SINCE,
    run_tags.CONFIGURATION,
)


@contextmanager
def explained(context: Context, *windows: Window, again: str | None = None) -> Iterator[None]:
    """Turn errors into a `Failure` that says which of `windows` it met; permanent ones are not retried.

    What works on no window says in `again` when it is tried next, such as `tried again tomorrow`.

    Once no retry of the step follows, the failure allows none, and the run gets the tags by which others tell what
    failed (`run_tags`).

    Causes are left out: what matters of them is in the description, and their messages may quote an URL or a
    customer's value.
    """
    _forget_inherited_tags(context)
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever it is, its message may hold a customer's value
        raise _failure(context, error, windows, again=again) from None


def _failure(context: Context, error: Exception, windows: tuple[Window, ...], *, again: str | None) -> dg.Failure:
    cause = cause_of(error)
    concerned = cause.windows or windows
    keys = "...".join(dict.fromkeys([concerned[0].key, concerned[-1].key])) if concerned else None
    where = None if again else f"window {keys}" if keys else "no window yet"
    is_last = not cause.retryable or context.retry_number + 1 == _TRIES
    since = _mark(context, cause, concerned) if is_last else None
    outlook = _outlook(context, cause, again=again) if is_last else "tried again within this run"
    facts: dict[str, str | int | float | dg.MetadataValue] = {
        "kind": cause.kind,
        "error": type(error).__name__,
        "window": keys or "none",
        "reason": cause.reason,
        "permanent": cause.permanent,
        "tried": _tried(context, cause),
        **cause.facts,
        "what_next": _what_next(cause, again=again) if is_last else "Tried again within this run.",
    }
    if since:
        facts["since"] = dg.MetadataValue.timestamp(since)
    told = _told(cause, since=since, where=where, outlook=outlook)
    return dg.Failure(told, metadata=facts, allow_retries=not is_last)


def _told(cause: Cause, *, since: datetime | None, where: str | None, outlook: str) -> str:
    lasting = f" since {outages.said_at(since)}" if since else ""
    reason = "; ".join(line.strip() for line in cause.reason.splitlines())
    tried = f", {cause.tried}" if cause.tried else ""
    place = f" ({where})" if where else ""
    return f"{run_tags.SAID[cause.kind]}{lasting}{place}: {reason}{tried}; {outlook}"


def _outlook(context: Context, cause: Cause, *, again: str | None) -> str:
    if cause.permanent:
        return f"needs you: {cause.advice[:1].lower()}{cause.advice[1:].rstrip('.')}"
    if again:
        return again
    if cause.kind == run_tags.UNFORESEEN:
        return f"{cause.advice[:1].lower()}{cause.advice[1:].rstrip('.')}"
    match context.run.tags.get(run_tags.LANE):
        case run_tags.LIVE:
            return _HEALS
        case run_tags.HEAL:
            return "the heal tries again while ticks succeed, later each time and in smaller ranges"
    return f"{_HEALS}, where the window is a gap; otherwise materialize it again"


def _what_next(cause: Cause, *, again: str | None) -> str:
    if not cause.permanent:
        return f"{again[:1].upper()}{again[1:]}." if again else cause.advice
    needs_you = f"Needs you: {cause.advice[:1].lower()}{cause.advice[1:]}"
    if again:
        return f"{needs_you} Then run the job again, or wait: it is {again}."
    if cause.kind in outages.WITHIN_A_WINDOW:
        return f"{needs_you} Then materialize the window again; the next windows do not wait for it."
    return (
        f"{needs_you} The next tick or a materialization resumes. After "
        f"{outages.PERMANENT_FAILURES} such failures of live runs in a row ticks are skipped, but for one probe an "
        "hour, until the profile or a secret changes or somebody materializes."
    )


def _tried(context: Context, cause: Cause) -> str:
    tries = f"try {context.retry_number + 1} of {_TRIES}" if cause.retryable else "not tried again within this run"
    return ", ".join(filter(None, [cause.tried, tries]))


def _mark(context: Context, cause: Cause, windows: tuple[Window, ...]) -> datetime | None:
    """Write the tags of a failure to its run, and return since when it fails so; None where that cannot be known."""
    try:
        since = outages.since_by_history(
            context.instance,
            kind=cause.kind,
            lane=context.run.tags.get(run_tags.LANE),
            window=windows[0] if windows else None,
            now=timestamps.now(),
        )
        tags = {
            run_tags.FAILURE: cause.kind,
            run_tags.PERMANENT: "true" if cause.permanent else "false",
            run_tags.FAILING_SINCE: timestamps.format_instant(since.runs),
            run_tags.FAILING_SO_SINCE: timestamps.format_instant(since.kind),
            run_tags.CONFIGURATION: outages.configuration(),
        }
        if cause.windows or len(windows) == 1:
            tags[run_tags.FAILED_WINDOW] = windows[0].key
        if cause.permanent:
            # For instances that repeat failed runs.
            tags[run_tags.RETRY_ON_FAILURE] = "false"
        context.instance.add_run_tags(context.run.run_id, tags)
    except Exception as error:  # noqa: BLE001 -- the failure itself must be seen, whatever happens here
        context.log.warning("the failure's tags were not written (%s)", type(error).__name__)
        return None
    return since.kind


def _forget_inherited_tags(context: Context) -> None:
    """Overwrite the tags of the failure that this run repeats: Dagster copies them, and they cannot be removed."""
    if not any(context.run.tags.get(tag) for tag in _TAGS):
        return
    try:
        run = context.instance.get_run_by_id(context.run.run_id)
        if run and (inherited := [tag for tag in _TAGS if run.tags.get(tag)]):
            context.instance.add_run_tags(context.run.run_id, dict.fromkeys(inherited, ""))
    except Exception as error:  # noqa: BLE001 -- no reason to fail
        context.log.warning("the tags of an earlier failure were not overwritten (%s)", type(error).__name__)
