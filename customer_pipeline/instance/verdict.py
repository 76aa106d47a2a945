"""What a status comes to, for a person and for monitoring. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from customer_pipeline.instance.automation import OPTIONAL, SCHEDULE, Automations
from customer_pipeline.instance.status import CacheState, InstanceState, Status
from customer_pipeline.windows import WINDOW_LENGTH, Window

LAG_WARNS_AFTER = timedelta(minutes=20)
STALE_IS_CRITICAL_AFTER = timedelta(minutes=30)


class Level(IntEnum):
    """The exit code, as monitoring expects it."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What it comes to.

    Attributes:
        level: how bad it is.
        reasons: why, the worst first; none when all is well.
    """

    level: Level
    reasons: tuple[str, ...] = ()


def verdict(status: Status) -> Verdict:
    """Return what a status comes to.

    What is known to be critical counts more than what is not known, and that more than a warning.
    """
    found = [*_problems(status)]
    if status.cache:
        found += _of_cache(status.cache, status)
    if status.instance:
        found += _of_instance(status.instance, status.at)
    order = [Level.CRITICAL, Level.UNKNOWN, Level.WARNING]
    found.sort(key=lambda one: order.index(one[0]))
    return Verdict(level=found[0][0] if found else Level.OK, reasons=tuple(reason for _, reason in found))


def windows_in(ranges: Sequence[Window]) -> int:
    """Return the number of ten-minute windows."""
    return sum((window.end - window.start) // WINDOW_LENGTH for window in ranges)


def minutes(length: timedelta) -> str:
    """Return a duration as a person reads it."""
    total = int(length.total_seconds()) // 60
    hours, rest = divmod(total, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _problems(status: Status) -> Iterator[tuple[Level, str]]:
    for problem in (status.cache_problem, status.instance_problem):
        if problem:
            yield Level.UNKNOWN, problem


def _of_cache(cache: CacheState, status: Status) -> Iterator[tuple[Level, str]]:
    stale = status.at - cache.stale_since if cache.stale_since else timedelta()
    lag = cache.lag(status.at)
    if stale > STALE_IS_CRITICAL_AFTER:
        yield Level.CRITICAL, f"the cache is stale since {minutes(stale)}"
    elif lag and lag > LAG_WARNS_AFTER:
        yield Level.WARNING, f"the cache lies {minutes(lag)} behind"
    if cache.load and not cache.load.as_of:
        yield Level.WARNING, "the cache was not loaded as a whole yet"
    if cache.gaps:
        number = windows_in(cache.gaps)
        yield Level.WARNING, f"{number} window{'s are' if number > 1 else ' is'} missing"


def _of_instance(instance: InstanceState, at: datetime) -> Iterator[tuple[Level, str]]:
    if instance.outage:
        level = Level.CRITICAL if instance.outage.permanent else Level.WARNING
        what = "live runs need a person" if instance.outage.permanent else "live runs fail"
        yield level, f"{what}: {instance.outage.cause or instance.outage.failure}"
    if instance.given_up:
        number = windows_in(instance.given_up)
        yield Level.CRITICAL, f"{number} window{'s were' if number > 1 else ' was'} given up: look at the failed runs"
    yield from _of_automations(instance.automations, at)


def _of_automations(automations: Automations, at: datetime) -> Iterator[tuple[Level, str]]:
    ill = [daemon.type for daemon in automations.daemons if not daemon.is_well(at)]
    if ill:
        yield Level.CRITICAL, f"the daemon is not healthy: {', '.join(ill)}"
    if automations.named(SCHEDULE) is None:
        for error in automations.load_errors or ["no code location has the pipeline"]:
            yield Level.CRITICAL, error
    for one in automations.automations:
        if not one.on and one.name not in OPTIONAL:
            yield Level.WARNING, f"the {one.kind} {one.name} is switched off"
        elif one.last and one.last.status == "FAILURE":
            yield Level.WARNING, f"the {one.kind} {one.name} fails: {one.last.error}"
