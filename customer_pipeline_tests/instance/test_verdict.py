from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from customer_pipeline.cache.loads import Load
from customer_pipeline.healing.memory import Memory
from customer_pipeline.instance.automation import HEAL_SENSOR, SCHEDULE, Automation, Automations, Daemon, Tick
from customer_pipeline.instance.status import CacheState, InstanceState, Outage, Status
from customer_pipeline.instance.verdict import Level, verdict
from customer_pipeline.windows import Window

AT = datetime(2026, 11, 23, 15, 4, tzinfo=UTC)


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def cache(*, as_of: int | None = 4, gaps: tuple[tuple[int, int], ...] = ()) -> CacheState:
    """Return what a cache has whose bounds lie so many minutes before."""
    return CacheState(
        as_of=None if as_of is None else AT - minutes(as_of),
        published_at=AT,
        covered=(Window(AT - minutes(604), AT - minutes(4)),),
        gaps=tuple(Window(AT - minutes(start), AT - minutes(end)) for start, end in gaps),
    )


def daemon(*, healthy: bool = True, heard_of: int | None = 0) -> Daemon:
    return Daemon(type="SCHEDULER", healthy=healthy, heartbeat=None if heard_of is None else AT - minutes(heard_of))


def automation(name: str, *, on: bool = True, last: Tick | None = None, cursor: str | None = None) -> Automation:
    return Automation(name=name, kind="schedule" if name == SCHEDULE else "sensor", on=on, last=last, cursor=cursor)


def instance(
    *automations: Automation,
    daemons: tuple[Daemon, ...] = (daemon(),),
    load_errors: tuple[str, ...] = (),
    outage: Outage | None = None,
) -> InstanceState:
    found = Automations(daemons=daemons, automations=automations or (automation(SCHEDULE),), load_errors=load_errors)
    return InstanceState(automations=found, ended=(), unfinished=(), outage=outage)


def outage(*, permanent: bool) -> Outage:
    return Outage(failure="provider_rejected", since=AT, permanent=permanent, cause="the provider refuses")


WELL = Status(at=AT, cache=cache(), instance=instance())
FAILING_TICK = Tick(at=AT, status="FAILURE", error="KeyError: 'x'")
SKIPPED_TICK = Tick(at=AT, status="SKIPPED", skip_reason="nothing is missing")
GIVEN_UP = Memory(settled=(Window.from_key("2026-11-23T1200Z"),)).dump()


def test_a_cache_that_was_never_loaded_is_told_and_a_schedule_that_is_off_by_default_is_not() -> None:
    empty = replace(WELL, cache=replace(cache(), load=Load()))
    off = automation("customer_reconciliation_schedule", on=False)

    assert verdict(empty).reasons == ("the cache was not loaded as a whole yet",)
    assert verdict(empty).level is Level.WARNING
    assert verdict(replace(WELL, instance=instance(automation(SCHEDULE), off))).level is Level.OK


def test_all_is_well() -> None:
    judged = verdict(WELL)

    assert (judged.level, judged.reasons) == (Level.OK, ())


@pytest.mark.parametrize(
    ("state", "level", "reasons"),
    [
        (cache(as_of=20), Level.OK, []),
        (cache(as_of=21), Level.WARNING, ["the cache lies 21 min behind"]),
        (cache(as_of=14, gaps=((14, 4),)), Level.WARNING, ["1 window is missing"]),
        (cache(as_of=39, gaps=((39, 19),)), Level.WARNING, ["the cache lies 39 min behind", "2 windows are missing"]),
        # Its first window was due exactly half an hour ago, and then a minute before that.
        (cache(as_of=40, gaps=((40, 4),)), Level.WARNING, ["the cache lies 40 min behind", "3 windows are missing"]),
        (
            cache(as_of=41, gaps=((41, 4),)),
            Level.CRITICAL,
            ["the cache is stale since 31 min", "3 windows are missing"],
        ),
        (
            cache(as_of=434, gaps=((434, 14),)),
            Level.CRITICAL,
            ["the cache is stale since 7 h 4 min", "42 windows are missing"],
        ),
        (cache(as_of=None), Level.OK, []),
        (
            cache(as_of=None, gaps=((64, 4),)),
            Level.CRITICAL,
            ["the cache is stale since 54 min", "6 windows are missing"],
        ),
    ],
)
def test_what_the_cache_lacks_counts_by_how_long(state: CacheState, level: Level, reasons: list[str]) -> None:
    judged = verdict(replace(WELL, cache=state))

    assert (judged.level, list(judged.reasons)) == (level, reasons)


@pytest.mark.parametrize(
    ("state", "level", "reason"),
    [
        (instance(outage=outage(permanent=True)), Level.CRITICAL, "live runs need a person: the provider refuses"),
        (instance(outage=outage(permanent=False)), Level.WARNING, "live runs fail: the provider refuses"),
        (
            instance(automation(SCHEDULE), automation(HEAL_SENSOR, cursor=GIVEN_UP)),
            Level.CRITICAL,
            "1 window was given up: look at the failed runs",
        ),
        (instance(daemons=(daemon(healthy=False),)), Level.CRITICAL, "the daemon is not healthy: SCHEDULER"),
        (instance(daemons=(daemon(heard_of=None),)), Level.CRITICAL, "the daemon is not healthy: SCHEDULER"),
        (instance(daemons=(daemon(heard_of=5),)), Level.CRITICAL, "the daemon is not healthy: SCHEDULER"),
        (instance(automation(SCHEDULE, on=False)), Level.WARNING, f"the schedule {SCHEDULE} is switched off"),
        (
            instance(automation(SCHEDULE), automation(HEAL_SENSOR, last=FAILING_TICK)),
            Level.WARNING,
            f"the sensor {HEAL_SENSOR} fails: KeyError: 'x'",
        ),
        (
            instance(automation("other"), load_errors=("the code location x failed to load: y",)),
            Level.CRITICAL,
            "the code location x failed to load: y",
        ),
        (instance(automation("other")), Level.CRITICAL, "no code location has the pipeline"),
    ],
)
def test_what_the_instance_does_not_do_is_named(state: InstanceState, level: Level, reason: str) -> None:
    judged = verdict(replace(WELL, instance=state))

    assert (judged.level, judged.reasons) == (level, (reason,))


@pytest.mark.parametrize(
    "state",
    [
        instance(daemons=(daemon(heard_of=4),)),
        instance(automation(SCHEDULE), automation("customer_reconciliation_schedule", on=False)),
        instance(automation(SCHEDULE), automation(HEAL_SENSOR, last=SKIPPED_TICK, cursor=Memory().dump())),
    ],
)
def test_what_is_usual_is_well(state: InstanceState) -> None:
    assert verdict(replace(WELL, instance=state)).level is Level.OK


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (Status(at=AT, cache=None, cache_problem="no cache", instance=instance()), Level.UNKNOWN),
        (Status(at=AT, cache=cache(), instance=None, instance_problem="no webserver"), Level.UNKNOWN),
        (Status(at=AT, cache=cache(as_of=21), instance=None, instance_problem="no webserver"), Level.UNKNOWN),
        (
            Status(at=AT, cache=None, cache_problem="no cache", instance=instance(outage=outage(permanent=True))),
            Level.CRITICAL,
        ),
        (
            Status(at=AT, cache=None, cache_problem="no cache", instance=None, instance_problem="no webserver"),
            Level.UNKNOWN,
        ),
    ],
)
def test_what_is_not_known_counts_more_than_a_warning_and_less_than_what_is_critical(
    status: Status, level: Level
) -> None:
    judged = verdict(status)

    assert judged.level is level
    for problem in (status.cache_problem, status.instance_problem):
        assert problem is None or problem in judged.reasons


def test_the_worst_reason_comes_first() -> None:
    judged = verdict(
        Status(
            at=AT,
            cache=cache(as_of=21),
            instance=instance(automation(SCHEDULE, on=False), daemons=(daemon(healthy=False),)),
        )
    )

    assert [reason.split()[1] for reason in judged.reasons] == ["daemon", "cache", "schedule"]
