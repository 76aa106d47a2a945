"""Outages as the runs tell of them: since when something fails, and when to stop asking in vain."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

import dagster as dg

from customer_pipeline import run_tags
from customer_pipeline.defs import history
from customer_pipeline.defs.history import PipelineRun
from customer_pipeline.defs.resources import CONFIGURING
from customer_pipeline.provider.fingerprint import fingerprint
from customer_pipeline.timestamps import parse_instant
from customer_pipeline.variables import PROVIDER_PROFILE
from customer_pipeline.windows import Window, floor

PERMANENT_FAILURES = 3
PROBE_INTERVAL = timedelta(hours=1)

# A day of live runs: whoever fails for longer reads since when in the tags.
_LIVE_RUNS = 144
_RUNS = 50
WITHIN_A_WINDOW = frozenset({run_tags.LANDING, run_tags.CHECKS, run_tags.UNFORESEEN})


@dataclass(frozen=True, kw_only=True, slots=True)
class Since:
    """Since when something fails.

    Attributes:
        kind: since when for the present reason.
        runs: since when runs fail at all, without a success between.
    """

    kind: datetime
    runs: datetime


def since(
    *, kind: str, lane: str | None, live: Sequence[PipelineRun], last: PipelineRun | None, now: datetime
) -> Since:
    """Return since when runs fail like the one that fails now.

    A live run continues what the live runs before it met, and so does another run that meets the same thing outside of
    the windows, such as a provider that is down. Otherwise it continues what its own window met last.

    Args:
        kind: what fails now.
        lane: of the run that fails now.
        live: the live runs that have ended, newest first.
        last: the newest run that has ended and held the same window.
        now: the time of the failure.
    """
    failing = list(takewhile(lambda run: run.failed, live))
    # A run that was killed says nothing; it interrupts no outage.
    told = [run for run in failing if run.tags.get(run_tags.FAILURE)]
    alike = list(takewhile(lambda run: run.tags[run_tags.FAILURE] == kind, told))
    if lane == run_tags.LIVE or (alike and kind not in WITHIN_A_WINDOW):
        return Since(
            kind=min(map(failing_so_since, alike), default=now), runs=min(map(failing_since, failing), default=now)
        )
    if last and last.failed and last.tags.get(run_tags.FAILURE) == kind:
        return Since(kind=failing_so_since(last), runs=failing_since(last))
    return Since(kind=now, runs=now)


def failing_since(run: PipelineRun) -> datetime:
    """Return since when runs had failed, for whatever reason, when this one did."""
    return _instant(run, run_tags.FAILING_SINCE) or run.created


def failing_so_since(run: PipelineRun) -> datetime:
    """Return since when runs had failed for this one's reason when it did."""
    return _instant(run, run_tags.FAILING_SO_SINCE) or failing_since(run)


def _instant(run: PipelineRun, tag: str) -> datetime | None:
    try:
        return parse_instant(run.tags[tag])
    except (KeyError, ValueError):
        return None


def since_by_history(
    instance: dg.DagsterInstance, *, kind: str, lane: str | None, window: Window | None, now: datetime
) -> Since:
    """Return `since` by the runs that the instance remembers."""
    live = history.finished(instance, lane=run_tags.LIVE, limit=_LIVE_RUNS)
    last = None
    if lane != run_tags.LIVE and window:
        recent = history.finished(instance, limit=_RUNS)
        last = next((run for run in recent if run.windows and window.start in run.windows), None)
    return since(kind=kind, lane=lane, live=live, last=last, now=now)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Why ticks are skipped.

    Attributes:
        run: the newest live run that has failed.
        next_probe: the tick from which on the provider is asked again in any case.
    """

    run: PipelineRun
    next_probe: datetime


def hold(runs: Sequence[PipelineRun], *, configuration: str, at: datetime) -> Hold | None:
    """Return why the tick at an instant is skipped, or None.

    It is after as many permanent failures of live runs in a row as `PERMANENT_FAILURES`, unless they lie within a
    window, whose successor may be all right; the configuration is another one by now; a person has started a run since
    the last of them; or none was made for `PROBE_INTERVAL`.

    Args:
        runs: of all lanes, those under way included, newest first.
        configuration: the fingerprint of the present one.
        at: the tick.
    """
    live = [run for run in runs if run.lane == run_tags.LIVE]
    ended = [run for run in live if run.ended or run.failed][:PERMANENT_FAILURES]
    if len(ended) < PERMANENT_FAILURES or not all(map(_concerns_every_window, ended)):
        return None
    if {run.tags.get(run_tags.CONFIGURATION) for run in ended} != {configuration}:
        return None
    if any(run.lane is None and run.created > ended[0].created for run in runs):
        return None
    # A run is created some seconds after its tick.
    next_probe = floor(max(run.created for run in live)) + PROBE_INTERVAL
    return Hold(run=ended[0], next_probe=next_probe) if at < next_probe else None


def _concerns_every_window(run: PipelineRun) -> bool:
    return run.permanent and run.tags.get(run_tags.FAILURE) not in WITHIN_A_WINDOW


def reason_to_skip(instance: dg.DagsterInstance, *, at: datetime) -> str | None:
    """Return why the tick at an instant is skipped, in words for a person; None if it is not."""
    live = history.finished(instance, lane=run_tags.LIVE, limit=PERMANENT_FAILURES)
    if len(live) < PERMANENT_FAILURES or not all(run.permanent for run in live):
        return None
    runs = {run.id: run for run in [*history.unfinished(instance), *history.finished(instance, limit=_RUNS), *live]}
    newest_first = sorted(runs.values(), key=lambda run: run.created, reverse=True)
    if (held := hold(newest_first, configuration=configuration(), at=at)) is None:
        return None
    said = run_tags.SAID.get(held.run.tags[run_tags.FAILURE], held.run.tags[run_tags.FAILURE])
    cause = history.explanation(instance, held.run.id) or f"{said} since {said_at(failing_so_since(held.run))}"
    return (
        f"{cause}. The last {PERMANENT_FAILURES} live runs failed for good, so ticks are skipped; next probe at "
        f"{said_at(held.next_probe)}. A changed profile or secret resumes at the next tick, as does a materialization."
    )


def configuration() -> str:
    """Return the fingerprint of what a person can change to mend the pipeline."""
    return fingerprint(os.environ.get(PROVIDER_PROFILE.name, ""), os.environ, variables=CONFIGURING)


def said_at(instant: datetime) -> str:
    """Return an instant as a person reads it."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"
