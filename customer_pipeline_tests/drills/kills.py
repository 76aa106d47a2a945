"""Processes that are killed, and stores that refuse: in the middle of the work, at each stage of it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psutil
import redis

from customer_pipeline.windows import Window
from customer_pipeline_tests.drills.drilling import Drilling, whole
from customer_pipeline_tests.drills.faults import CACHE, Fault, code_server_killed, daemon_killed, provider_fault
from customer_pipeline_tests.drills.processes import wait_for_end

WINDOWS = 8
BASELINE = 2
BATCH_CUSTOMERS = 3000
STAGE_SECONDS = 60.0


def worker_killed(drill: Drilling, stage: str) -> None:
    """Kill the worker of a live run once its step has begun; the next tick is the heal's proof."""
    drill.changes.fill(drill.past, changes=60)
    drill.succeed(whole(drill.past[:BASELINE]))
    worker_killed_again(drill, drill.past[BASELINE:], stage=stage)


def worker_killed_again(drill: Drilling, windows: list[Window], *, stage: str = "publish") -> None:
    """Do the same on a stack that was drilled before."""
    with _held(drill, stage):
        run = drill.launch(whole(windows))
        drill.note(f"killed {kill_worker_at(drill, run, stage)}")
    drill.watch(drill.tick())
    _note_end(drill, run)


def worker_killed_in_a_batch(drill: Drilling) -> None:
    """Kill the worker when some customers of a window are in the cache, and not all."""
    drill.succeed(whole(drill.past[:BASELINE]))
    (window, *_) = drill.past[BASELINE:]
    for number in range(BATCH_CUSTOMERS):
        drill.changes.create(window.start + timedelta(milliseconds=100 * number))
    with drill.stack.redis() as client:
        before = int(client.dbsize())
        run = drill.instance.launch(whole(drill.past[BASELINE:]))
        deadline = time.monotonic() + STAGE_SECONDS
        while client.dbsize() < before + 100 and time.monotonic() < deadline:
            pass
        kill_all(drill.stack.workers())
        there = int(client.dbsize()) - before
    drill.note(f"killed when {there} of {BATCH_CUSTOMERS} customers were in the cache")
    drill.expect(0 < there < BATCH_CUSTOMERS, f"the worker was killed too early or late: {there} customers")
    drill.watch(drill.tick())
    _note_end(drill, run)


def process_killed(drill: Drilling, fault: Fault, *, seconds: float = 3.0) -> None:
    """Kill a process while a range is ingested; start it again after some seconds."""
    drill.changes.fill(drill.past, changes=60)
    drill.succeed(whole(drill.past[:BASELINE]))
    with provider_fault("slow", seconds="1", chunks="1")(drill.stack):
        run = drill.instance.launch(whole(drill.past[BASELINE:]))
        _until_step(drill, run, "raw_customers")
        with fault(drill.stack):
            time.sleep(seconds)
    drill.watch(drill.tick())
    _note_end(drill, run)


def store_refuses(drill: Drilling, fault: Fault) -> None:
    """A store refuses over some windows, then takes writes again."""
    drill.changes.fill(drill.past, changes=60)
    drill.succeed(whole(drill.past[:BASELINE]))
    with fault(drill.stack):
        drill.fail(whole(drill.past[BASELINE:]))
    drill.watch(drill.tick())


def cache_fails_in_publication(drill: Drilling, fault: Fault) -> None:
    """The cache begins to fail when a run has ingested and normalized, and is to publish."""
    drill.changes.fill(drill.past, changes=60)
    drill.succeed(whole(drill.past[:BASELINE]))
    with _held(drill, "publish"):
        run = drill.instance.launch(whole(drill.past[BASELINE:]))
        _until_step(drill, run, "customer_cache")
        stack = contextlib.ExitStack()
        stack.enter_context(fault(drill.stack))
    with stack:
        (ended,) = drill.instance.wait_for([run], timeout=STAGE_SECONDS * 5)
    drill.note(f"the run ended as {ended.status}")
    drill.watch(drill.tick())


def kill_worker_at(drill: Drilling, run: str, stage: str) -> str:
    """Kill the worker of a run at a stage; return what was begun and what was left."""
    step = {"ingest": "raw_customers", "normalize": "normalization", "publish": "customer_cache"}[stage]
    _until_step(drill, run, step)
    killed = kill_all(drill.stack.workers())
    drill.expect(killed > 0, "there was no worker to kill")
    return f"{killed} worker in {step}"


@contextlib.contextmanager
def _held(drill: Drilling, stage: str) -> Iterator[None]:
    """Let the stage last long enough to be met: by a slow provider, or a cache that lets writes wait."""
    if stage == "ingest":
        with provider_fault("slow", seconds="1", chunks="1")(drill.stack):
            yield
    elif stage == "publish":
        with drill.stack.redis() as client:
            client.execute_command("CLIENT", "PAUSE", "15000", "WRITE")
            try:
                yield
            finally:
                with contextlib.suppress(redis.RedisError):
                    client.execute_command("CLIENT", "UNPAUSE")
    else:
        yield


def _until_step(drill: Drilling, run: str, step: str) -> None:
    _until(lambda: step in drill.instance.started_steps(run), what=f"the step {step} of run {run}")


def _until(condition: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + STAGE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come")
        time.sleep(0.02)


def kill_all(workers: list[psutil.Process]) -> int:
    killed = 0
    for worker in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
            killed += 1
            wait_for_end(worker, seconds=10)
    return killed


def _note_end(drill: Drilling, run: str) -> None:
    ended = drill.instance.run(run)
    took = (ended.ended - ended.created).total_seconds() if ended.ended else None
    drill.note(f"the hit run ended as {ended.status}" + (f" {took:.0f} s after its request" if took else ""))


FAULTS_IN_WORK = {"daemon_killed": daemon_killed, "code_server_killed": code_server_killed}
FAULTS_IN_PUBLICATION = {
    name: CACHE[name] for name in ("cache_killed", "cache_lost", "oom", "readonly", "replies_lost")
}
