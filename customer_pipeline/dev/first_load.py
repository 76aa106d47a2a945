"""The first load: asks for the newest hour at the start of the stack, so that there is soon something to see.

The newest window is also the proof after which the heal publishes whatever else is missing; a stack that was off would
wait for the next tick without it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from customer_pipeline import run_tags
from customer_pipeline.instance.webserver import Webserver, WebserverError, first_and_last_key
from customer_pipeline.windows import Window, subtract

LONGEST_RANGE = timedelta(hours=1)
# With no priority of its own it goes before the heals that the last stack left in the queue.
TAGS = {run_tags.LANE: run_tags.HEAL, run_tags.REASON: "first load"}
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
    gaps: Callable[[], list[Window]],
    abandoned_before: datetime | None,
    say: Callable[[str], None],
    stopped: Callable[[float], bool],
) -> None:
    """Queue a run for the newest hour if it is missing, say when it is published and when nothing is missing any more.

    Args:
        webserver: whose job is run.
        until: the end of the newest window.
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
    busy = _under_way(webserver, abandoned_before=abandoned_before, say=say)
    missing = gaps()
    if newest := newest_hour(missing, busy=busy, until=until):
        webserver.launch(newest, tags=TAGS)
        say("requested the windows {} to {}".format(*first_and_last_key(newest)))
        if not _wait(lambda: gaps() != missing, stopped=stopped):
            return
        say("customers are in the cache")
    if _wait(lambda: not gaps(), stopped=stopped):
        say("the cache has every window")


def _under_way(webserver: Webserver, *, abandoned_before: datetime | None, say: Callable[[str], None]) -> list[Window]:
    """Return the ranges of the runs that will still end, after canceling those that cannot."""
    busy = []
    for unfinished in webserver.unfinished_runs():
        if abandoned_before and unfinished.has_lost_its_worker(abandoned_before):
            webserver.cancel(unfinished)
            say(f"run {unfinished.id} was cut off by the end of the last stack: canceled")
        elif unfinished.windows:
            busy.append(unfinished.windows)
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
