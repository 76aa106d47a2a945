"""The first load: has an empty cache loaded at the start of the stack, then asks for the newest hour if that lacks.

The sensors would do it too, half a minute later. The newest window is also the proof after which the heal publishes
whatever else is missing; a stack that was off would wait for the next tick without it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial

from customer_pipeline import run_tags
from customer_pipeline.instance.webserver import Run, Webserver, WebserverError, first_and_last_key
from customer_pipeline.windows import Window, subtract

JOB = "customer_sync"
LOAD = {"ops": {"load_customers": {"config": {"only_if_empty": True}}}}
LONGEST_RANGE = timedelta(hours=1)
# With no priority of its own it goes before the heals that the last stack left in the queue.
TAGS = {run_tags.LANE: run_tags.HEAL, run_tags.REASON: "first load"}
BOOTSTRAP = "customer_bootstrap"
POLL_SECONDS = 1.0


def newest_hour(gaps: Iterable[Window], *, busy: Iterable[Window], until: datetime) -> Window | None:
    """Return the range to ask for: of the hour before `until` what lacks unbroken up to it, and no run works on."""
    busy = list(busy)
    missing = [hole for gap in gaps for hole in subtract(gap, busy)]
    newest = max(missing, default=None)
    if newest is None or newest.end < until:
        return None
    return Window(max(newest.start, until - LONGEST_RANGE), until)


def run(
    webserver: Webserver,
    *,
    until: datetime,
    loaded: Callable[[], bool],
    gaps: Callable[[], list[Window]],
    abandoned_before: datetime | None,
    say: Callable[[str], None],
    stopped: Callable[[float], bool],
) -> None:
    """Have an empty cache loaded, and the newest hour published if it is missing; say when nothing is missing any more.

    Args:
        webserver: whose job is run.
        until: the end of the newest window.
        loaded: whether the cache was ever loaded as a whole, or never is.
        gaps: returns what the cache lacks of the time before it.
        abandoned_before: runs that are under way and have not changed since then have lost their workers; they are
            canceled, as they would keep the queue closed. None where other people's runs may be among them.
        say: prints a line.
        stopped: waits for so many seconds, and returns whether to give up.

    Raises:
        WebserverError: if a run is refused.
        CacheError: if the cache does not answer.
    """
    if not _found(webserver, say=say, stopped=stopped):
        return
    shown = loaded()
    if not shown:
        if not _under_way(webserver, BOOTSTRAP, abandoned_before=abandoned_before, say=say):
            webserver.launch(BOOTSTRAP, config=LOAD, tags={run_tags.REASON: "first load"})
        say("every customer is being loaded; windows go on meanwhile")
        if not _wait(loaded, stopped=stopped):
            return
        say("every customer of the provider is in the cache")
    unfinished = _under_way(webserver, JOB, abandoned_before=abandoned_before, say=say)
    busy = [run.windows for run in unfinished if run.windows]
    # After a load nothing lacks, and every window is grey in the UI: one hour shows what windows look like.
    wanted = gaps() if shown else [Window(until - LONGEST_RANGE, until)]
    if newest := newest_hour(wanted, busy=busy, until=until):
        first, last = first_and_last_key(newest)
        webserver.launch(JOB, tags={run_tags.RANGE_START: first, run_tags.RANGE_END: last, **TAGS})
        say(f"requested the windows {first} to {last}")
        if not _wait(partial(_has_ended, webserver, newest), stopped=stopped):
            return
    if _wait(lambda: not gaps(), stopped=stopped):
        say("the cache has every window")


def _has_ended(webserver: Webserver, windows: Window) -> bool:
    return all(run.windows != windows for run in webserver.unfinished_runs(JOB))


def _under_way(
    webserver: Webserver, job: str, *, abandoned_before: datetime | None, say: Callable[[str], None]
) -> list[Run]:
    """Return the runs of a job that will still end, after canceling those that cannot."""
    busy = []
    for unfinished in webserver.unfinished_runs(job):
        if abandoned_before and unfinished.has_lost_its_worker(abandoned_before):
            webserver.cancel(unfinished)
            say(f"run {unfinished.id} was cut off by the end of the last stack: canceled")
        else:
            busy.append(unfinished)
    return busy


def _found(webserver: Webserver, *, say: Callable[[str], None], stopped: Callable[[float], bool]) -> bool:
    """Wait until the code location is loaded, and say why it is not; return False when stopped before."""
    said = set()

    def found() -> bool:
        try:
            webserver.find_job()
        except WebserverError as error:
            if str(error) not in said:
                said.add(str(error))
                say(str(error))
            return False
        return True

    return _wait(found, stopped=stopped)


def _wait(condition: Callable[[], bool], *, stopped: Callable[[float], bool]) -> bool:
    """Wait for the condition; return False when stopped before."""
    while not condition():
        if stopped(POLL_SECONDS):
            return False
    return True
