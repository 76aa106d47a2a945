"""The load of the whole cache and its reconciliation, killed while the provider changes; Redis flushed."""

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis
import yaml

from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.loads import Loads
from customer_pipeline.provider.profile import shipped_profiles
from customer_pipeline.timestamps import now
from customer_pipeline_tests.drills import kills, oracle
from customer_pipeline_tests.drills.drilling import Drilling
from customer_pipeline_tests.drills.instance import DrilledRun
from customer_pipeline_tests.drills.stack import Stack, newest_window

CUSTOMERS = 100_000
WINDOWS = 2
KILLS = 10
LONGEST_SECONDS = 1800.0
LOAD = "customer_bootstrap"
RECONCILIATION = "customer_reconciliation"
_SPOILT = 40
_LONGEST_WAIT_BEFORE_KILL = 8.0


def load_killed(drill: Drilling) -> None:
    """The first load, begun by the sensor, is killed at ten random points while customers change, go and come back."""
    with changing(drill):
        wait_for(lambda: bool(drill.instance.runs_of(LOAD)), what="the sensor's first load")
        _kill_runs_of(drill, LOAD, until=lambda: loaded(drill.stack))
        wait_for(lambda: loaded(drill.stack), what="the load")
    _settle(drill)


def reconciliation_killed(drill: Drilling) -> None:
    """The cache is spoilt and customers vanish without a word; the reconciliation is killed at ten random points."""
    wait_for(lambda: loaded(drill.stack), what="the load")
    dice = random.Random(7)
    vanished = _spoil(drill, dice)
    _kill_runs_of(drill, RECONCILIATION, until=lambda: False)
    _reconcile(drill)
    drill.note(f"{_SPOILT} documents lost, {_SPOILT} set back, {len(vanished)} customers gone from the provider unsaid")
    _settle(drill)


def redis_flushed(drill: Drilling) -> None:
    """Redis is flushed in the middle of a day."""
    wait_for(lambda: loaded(drill.stack), what="the first load")
    drill.tick()
    with drill.stack.redis() as client:
        client.flushall()
    since = now()
    wait_for(lambda: loaded(drill.stack), what="the load after the flush")
    drill.note(f"loaded again {(now() - since).total_seconds():.0f} s after the flush")
    _settle(drill)
    drill.note(f"whole again after {(now() - since).total_seconds():.0f} s")


def changing_while_loaded(drill: Drilling) -> None:
    """Customers change, go and come back during the load and the reconciliation; once they rest, one more is run."""
    with changing(drill):
        wait_for(lambda: loaded(drill.stack), what="the load")
        _reconcile(drill)
    _reconcile(drill)
    _settle(drill)


def profile_of_deletions(form: str) -> dict[str, Any]:
    """Return how the sandbox's profile has to be where deletions are told in another form."""
    shipped = yaml.safe_load(shipped_profiles()["sandbox"].read_text())
    shipped["list"]["query"]["deletions"] = form
    mark = {"event": {"path": "event", "values": ["customer.deleted"]}, "unsaid": None}.get(form, shipped["deleted"])
    return {"list": shipped["list"], "deleted": mark}


def doubtful_provider(drill: Drilling) -> None:
    """A reconciliation meets a provider that shows half of its customers, none, or some again and again."""
    wait_for(lambda: loaded(drill.stack), what="the load")
    before = oracle.cached(drill.stack).keys()
    for fault in ("half_200", "empty_200", "page_repeats"):
        if fault == "page_repeats":
            drill.stack.write_profile(pagination=_by_position(drill.stack))
        drill.stack.provider.fault(fault)
        (run,) = drill.instance.wait_for([drill.instance.launch_job(RECONCILIATION)], timeout=LONGEST_SECONDS)
        drill.stack.provider.clear()
        said = drill.instance.failures(run.id)
        drill.expect(run.status == "FAILURE", f"{fault}: the reconciliation is {run.status}")
        drill.expect(before <= oracle.cached(drill.stack).keys(), f"{fault}: customers were deleted")
        drill.note(f"{fault}: {said[0] if said else 'it does not say why'}")
    _settle(drill)


def _by_position(stack: Stack) -> dict[str, Any]:
    """Return the pagination of a provider that promises no order: its pages are asked for by their numbers."""
    pagination: dict[str, Any] = stack.profile.model_dump(mode="json", exclude_none=True)["pagination"]
    del pagination["order"]
    return pagination


@contextlib.contextmanager
def changing(drill: Drilling) -> Iterator[None]:
    """Let customers be created, edited, deleted and created again, all the time."""
    over = threading.Event()
    dice = random.Random(11)

    def change() -> None:
        for number in itertools.count():
            if over.wait(0.2):
                return
            id_ = drill.changes.create(now())
            if dice.random() < 0.5:
                drill.changes.edit(id_, now())
            if dice.random() < 0.3:
                drill.changes.delete(id_, now())
                if number % 2:
                    drill.changes.revive(id_, now())

    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=30)


def loaded(stack: Stack) -> bool:
    """Return whether the cache knows of a load that has finished."""
    with contextlib.suppress(redis.RedisError), stack.redis() as client:
        return Loads(client, keys=CacheKeys()).read().as_of is not None
    return False


def wait_for(condition: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come")
        time.sleep(0.5)


def _kill_runs_of(drill: Drilling, job: str, *, until: Callable[[], bool]) -> None:
    """Kill the worker of a job's run at ten random points; request another run after each, as a person would."""
    dice = random.Random(5)
    killed = 0
    while killed < KILLS and not until():
        run = _under_way(drill, job)
        time.sleep(dice.uniform(0, _LONGEST_WAIT_BEFORE_KILL))
        if drill.instance.run(run.id).finished:
            continue
        killed += kills.kill_all(drill.stack.workers()) > 0
    drill.note(f"killed {killed} times")
    drill.expect(killed == KILLS or until(), f"only {killed} were killed")


def _reconcile(drill: Drilling) -> None:
    (run,) = drill.instance.wait_for([drill.instance.launch_job(RECONCILIATION)], timeout=LONGEST_SECONDS)
    drill.expect(run.status == "SUCCESS", f"the reconciliation is {run.status}: {drill.instance.failures(run.id)}")
    if run.started and run.ended:
        drill.note(f"reconciled in {(run.ended - run.started).total_seconds():.0f} s")


def _under_way(drill: Drilling, job: str) -> DrilledRun:
    """Return a run of the job that is under way, after requesting one where none is queued."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        runs = [run for run in drill.instance.runs_of(job) if not run.finished]
        if not runs:
            drill.instance.launch_job(job)
        if started := [run for run in runs if run.status == "STARTED" and drill.stack.workers()]:
            return started[0]
        time.sleep(0.3)
    raise TimeoutError(f"no run of {job} began")


def _spoil(drill: Drilling, dice: random.Random) -> list[str]:
    """Lose documents, set others back, and let customers vanish from the provider without a word."""
    with drill.stack.redis() as client:
        ids = sorted(member.decode() for member in client.zrange("customers:by_updated_at", 0, -1))
        chosen = dice.sample(ids, 3 * _SPOILT)
        lost, old, vanished = chosen[:_SPOILT], chosen[_SPOILT : 2 * _SPOILT], chosen[2 * _SPOILT :]
        client.delete(*(f"customer:{{{id_}}}" for id_ in lost))
        for id_ in old:
            key = f"customer:{{{id_}}}"
            client.setrange(key, len('{"version":"'), "2001")
    for id_ in vanished:
        drill.stack.provider.control("DELETE", f"customers/{id_}", hard="1")
    return vanished


def _settle(drill: Drilling) -> None:
    """Let a tick succeed, and compare once nothing is left to do; windows that the load covers stay grey."""
    drill.tick()
    until = newest_window().end
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        if not oracle.coverage_gaps(drill.stack, until=until) and not drill.instance.unfinished():
            break
        time.sleep(1)
    drill.seen.problems += [f"gap {gap}" for gap in oracle.coverage_gaps(drill.stack, until=until)]
    drill.seen.problems += oracle.differences(drill.stack, until=until)[:20]
    drill.count()
