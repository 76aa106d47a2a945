"""The screen of `customer-pipeline status`. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from customer_pipeline.commands.status_shape import LAST_RUNS
from customer_pipeline.instance.automation import Automation, Automations
from customer_pipeline.instance.runs import PipelineRun
from customer_pipeline.instance.status import CacheState, InstanceState, Status
from customer_pipeline.instance.verdict import Verdict, minutes, windows_in
from customer_pipeline.instance.webserver import first_and_last_key
from customer_pipeline.run_tags import SAID
from customer_pipeline.windows import Window

_MOST_RANGES = 10
_LONGEST_REASON = 160


def text(status: Status, verdict: Verdict) -> str:
    """Return the lines of the screen."""
    lines = [f"{verdict.level.name} at {_when(status.at)}", *(f"  {reason}" for reason in verdict.reasons), ""]
    if status.cache:
        lines += _cache(status.cache, status.at)
    if status.instance:
        lines += _instance(status.instance, status.at)
    return "\n".join(lines).rstrip()


def _cache(cache: CacheState, at: datetime) -> Iterator[str]:
    lag = cache.lag(at)
    if cache.as_of and lag is not None:
        yield _line("freshness", f"as of {_when(cache.as_of)}, {minutes(lag)} behind")
    else:
        yield _line("freshness", "nothing was published yet")
    if cache.load:
        loaded = cache.load.complete_until
        yield _line("loaded", f"from the {cache.load.source}, as of {_when(loaded)}" if loaded else "not yet")
    if cache.covered:
        whole = Window(cache.covered[0].start, cache.covered[-1].end)
        yield _line("coverage", f"{_range(whole)}, {_count(cache.covered)}")
    if cache.gaps:
        yield _line("gaps", f"{_count(cache.gaps)} since {_when(cache.gaps[0].start)}, newest first")
        yield from _ranges(list(reversed(cache.gaps)))
    else:
        yield _line("gaps", "none")


def _instance(instance: InstanceState, at: datetime) -> Iterator[str]:
    if instance.given_up:
        yield _line("given up", f"{_count(instance.given_up)}, for a person to look at")
        yield from _ranges(list(reversed(instance.given_up)))
    else:
        yield _line("given up", "none")
    yield _line("provider", _provider(instance))
    yield from _automations(instance.automations, at)
    working = [f"{run.status.lower()} {run.lane or 'person'} {_of_run(run)}" for run in instance.unfinished]
    working += [f"backfill {one.id}{f' ({one.title})' if one.title else ''}" for one in instance.backfills]
    yield _line("in progress", working[0] if working else "nothing")
    yield from (_line("", one) for one in working[1:_MOST_RANGES])
    if instance.ended:
        yield ""
        yield from _table([_row(run) for run in instance.ended[:LAST_RUNS]])


def _provider(instance: InstanceState) -> str:
    provider = instance.provider
    if provider.state == "up" and provider.since:
        return f"up, answered at {_when(provider.since)}"
    if provider.since and provider.failure:
        said = SAID.get(provider.failure, provider.failure).removeprefix("provider ")
        what_next = "needs a person" if provider.permanent else "heals by itself when a later tick succeeds"
        return f"{said} since {_when(provider.since)}; {what_next}"
    return "not asked lately"


def _automations(automations: Automations, at: datetime) -> Iterator[str]:
    ill = [daemon for daemon in automations.daemons if not daemon.is_well(at)]
    told = [f"{one.type} last heard of {_when(one.heartbeat) if one.heartbeat else 'never'}" for one in ill]
    yield _line("daemon", "; ".join(told) if ill else "healthy")
    for one in automations.automations:
        yield _line(one.kind, f"{one.name} {'on' if one.on else 'OFF'}{_last(one)}")


def _last(one: Automation) -> str:
    if one.last is None:
        return ""
    reason = one.last.skip_reason or one.last.error
    if reason and len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON]}..."
    return f", {one.last.status.lower()} at {_when(one.last.at)}{f': {reason}' if reason else ''}"


def _row(run: PipelineRun) -> list[str]:
    outcome = f"{run.status.lower()}{f' ({run.failure})' if run.failure else ''}"
    took = f"{run.took.total_seconds():.1f} s" if run.took else "-"
    return [run.id[:8], run.lane or "person", _of_run(run), outcome, _when(run.ended or run.created), took]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    table = [("run", "lane", "windows", "outcome", "ended", "took"), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _ranges(ranges: Sequence[Window]) -> Iterator[str]:
    yield from (_line("", f"{_range(one)}, {_count([one])}") for one in ranges[:_MOST_RANGES])
    if len(ranges) > _MOST_RANGES:
        yield _line("", f"and {len(ranges) - _MOST_RANGES} more ranges")


def _of_run(run: PipelineRun) -> str:
    return _range(run.windows) if run.windows else "-"


def _range(windows: Window) -> str:
    return "...".join(dict.fromkeys(first_and_last_key(windows)))


def _count(ranges: Sequence[Window]) -> str:
    number = windows_in(ranges)
    return f"{number} window{'s' * (number != 1)}"


def _line(name: str, content: str) -> str:
    return f"{name:<12}{content}"


def _when(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
