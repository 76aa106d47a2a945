"""The first load: asks for the windows that are missing, newest first, so that a start needs no click.

The schedule asks for new windows only. Those that were missed are filled by a backfill, and by this at every start.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from customer_pipeline.instance.webserver import Webserver, WebserverError, first_and_last_key
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, subtract

LARGEST_RANGE = 144 * WINDOW_LENGTH
# The first run is short, so that there is soon something to see.
FIRST_RANGE = timedelta(hours=1)
TAGS = {"pipeline": "customer_pipeline"}
POLL_SECONDS = 1.0
FIRST_WAIT_SECONDS = 60.0


def plan(gaps: Iterable[Window], *, busy: Iterable[Window]) -> Iterator[Window]:
    """Yield contiguous ranges that hold every gap which no range of `busy` holds, newest first."""
    busy = list(busy)
    holes = [hole for gap in contiguous(gaps) for hole in subtract(gap, busy)]
    longest = FIRST_RANGE
    for hole in reversed(holes):
        end = hole.end
        while end > hole.start:
            start = max(hole.start, end - longest)
            yield Window(start, end)
            longest = LARGEST_RANGE
            end = start


def run(
    webserver: Webserver,
    *,
    gaps: Callable[[], list[Window]],
    abandoned_before: datetime | None,
    say: Callable[[str], None],
    stopped: Callable[[float], bool],
) -> None:
    """Queue runs for the missing windows and say when the cache has them.

    Args:
        webserver: whose job is run.
        gaps: returns what the cache lacks now.
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
    for number, windows in enumerate(plan(missing, busy=busy)):
        webserver.launch(windows, tags=TAGS)
        say("requested the windows {} to {}".format(*first_and_last_key(windows)))
        # The first run has the machine for itself: queueing a long one is work, too.
        if number == 0 and _wait(lambda: gaps() != missing, stopped=stopped, timeout_seconds=FIRST_WAIT_SECONDS):
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


def _wait(
    condition: Callable[[], bool], *, stopped: Callable[[float], bool], timeout_seconds: float = math.inf
) -> bool:
    """Wait for the condition; return False when stopped before, or when it takes too long."""
    waited = 0.0
    while not condition():
        if waited >= timeout_seconds or stopped(POLL_SECONDS):
            return False
        waited += POLL_SECONDS
    return True
