"""The JSON of `customer-pipeline status --json`. Its shape is documented: members are added, never renamed. Pure."""

from datetime import datetime, timedelta
from typing import Any

from customer_pipeline.cache.loads import Load
from customer_pipeline.instance.automation import Automation, Tick
from customer_pipeline.instance.runs import PipelineRun
from customer_pipeline.instance.status import CacheState, InstanceState, Outage, Status
from customer_pipeline.instance.verdict import Verdict, windows_in
from customer_pipeline.timestamps import format_instant
from customer_pipeline.windows import Window

LAST_RUNS = 10


def shape(status: Status, verdict: Verdict) -> dict[str, Any]:
    """Return what is dumped: of a source that does not answer, `null`."""
    instance = status.instance
    return {
        "at": format_instant(status.at),
        "level": verdict.level.name.lower(),
        "exit_code": int(verdict.level),
        "reasons": list(verdict.reasons),
        "problems": {"cache": status.cache_problem, "instance": status.instance_problem},
        "freshness": _freshness(status.cache, status.at) if status.cache else None,
        "coverage": _coverage(status.cache) if status.cache else None,
        "load": _load(status.cache.load) if status.cache and status.cache.load else None,
        **(_instance(instance, status.at) if instance else dict.fromkeys(_INSTANCE)),
    }


_INSTANCE = ("given_up", "provider", "outage", "runs", "in_progress", "daemons", "automations")


def _freshness(cache: CacheState, at: datetime) -> dict[str, Any]:
    return {
        "as_of": _instant(cache.as_of),
        "lag_seconds": _seconds(cache.lag(at)),
        "stale_since": _instant(cache.stale_since),
        "published_at": _instant(cache.published_at),
    }


def _coverage(cache: CacheState) -> dict[str, Any]:
    return {
        "first": format_instant(cache.covered[0].start) if cache.covered else None,
        "newest": format_instant(cache.covered[-1].end) if cache.covered else None,
        "windows": windows_in(cache.covered),
        "gap_windows": windows_in(cache.gaps),
        "gaps": [_range(gap) for gap in reversed(cache.gaps)],
    }


def _load(load: Load) -> dict[str, Any]:
    return {"as_of": load.as_of, "finished_at": load.finished_at, "source": load.source}


def _instance(instance: InstanceState, at: datetime) -> dict[str, Any]:
    provider = instance.provider
    return {
        "given_up": [_range(windows) for windows in instance.given_up],
        "provider": {
            "state": provider.state,
            "since": _instant(provider.since),
            "failure": provider.failure,
            "needs_a_person": provider.permanent,
        },
        "outage": _outage(instance.outage) if instance.outage else None,
        "runs": [_run(run) for run in instance.ended[:LAST_RUNS]],
        "in_progress": {
            "runs": [_run(run) for run in instance.unfinished],
            "backfills": [
                {"id": one.id, "title": one.title, "status": one.status, "created": format_instant(one.created)}
                for one in instance.backfills
            ],
        },
        "daemons": [
            {"type": daemon.type, "healthy": daemon.is_well(at), "heartbeat": _instant(daemon.heartbeat)}
            for daemon in instance.automations.daemons
        ],
        "automations": [_automation(one) for one in instance.automations.automations],
    }


def _outage(outage: Outage) -> dict[str, Any]:
    return {
        "failure": outage.failure,
        "since": format_instant(outage.since),
        "needs_a_person": outage.permanent,
        "cause": outage.cause,
    }


def _run(run: PipelineRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "lane": run.lane,
        "windows": _range(run.windows) if run.windows else None,
        "status": run.status,
        "failure": run.failure,
        "created": format_instant(run.created),
        "ended": _instant(run.ended),
        "seconds": _seconds(run.took),
    }


def _automation(one: Automation) -> dict[str, Any]:
    return {"name": one.name, "kind": one.kind, "on": one.on, "last_tick": _tick(one.last) if one.last else None}


def _tick(tick: Tick) -> dict[str, Any]:
    return {
        "at": format_instant(tick.at),
        "status": tick.status,
        "skip_reason": tick.skip_reason,
        "error": tick.error,
    }


def _range(windows: Window) -> dict[str, str]:
    return {"start": format_instant(windows.start), "end": format_instant(windows.end)}


def _instant(instant: datetime | None) -> str | None:
    return format_instant(instant) if instant else None


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 1)
