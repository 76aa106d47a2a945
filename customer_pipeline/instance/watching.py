"""Watching a backfill to its end, across a webserver that goes away for a while."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from customer_pipeline.instance.backfills import UNFINISHED
from customer_pipeline.instance.graphql import WebserverError
from customer_pipeline.instance.progress import Progress

POLL_SECONDS = 2.0
PATIENCE = timedelta(minutes=5)


class ContactLost(Exception):  # noqa: N818 -- says what happened
    """The webserver stayed away for longer than it is waited for; the backfill itself may go on."""


def watch(
    read: Callable[[], Progress],
    *,
    say: Callable[[str], None],
    wait: Callable[[float], None],
    clock: Callable[[], datetime],
    patience: timedelta = PATIENCE,
) -> Iterator[Progress]:
    """Yield the progress of a backfill until it has ended; the last one says how.

    Args:
        read: asks for the progress.
        say: prints a line.
        wait: waits for so many seconds.
        clock: returns the time.
        patience: how long to go on asking without an answer.

    Raises:
        ContactLost: if there was no answer for so long.
    """
    silent_since: datetime | None = None
    while True:
        try:
            progress = read()
        except WebserverError as error:
            if silent_since is None:
                silent_since = clock()
                say(f"{error}; asking again for {patience // timedelta(minutes=1)} minutes")
            elif clock() - silent_since >= patience:
                raise ContactLost(str(error)) from error
        else:
            if silent_since is not None:
                say("the webserver answers again")
                silent_since = None
            yield progress
            if progress.status not in UNFINISHED:
                return
        wait(POLL_SECONDS)
