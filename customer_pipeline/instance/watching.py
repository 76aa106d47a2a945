"""Watching a run or a backfill to its end, across a webserver that goes away for a while."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from customer_pipeline.instance.graphql import WebserverError

POLL_SECONDS = 2.0
PATIENCE = timedelta(minutes=5)
# How long a run that nothing holds up may be queued.
QUEUE_PATIENCE = timedelta(seconds=60)


class ContactLost(Exception):  # noqa: N818 -- says what happened
    """The webserver stayed away for longer than it is waited for; what was watched may go on."""


class Watched(Protocol):
    """How far something is."""

    @property
    def unfinished(self) -> bool:
        """Whether it goes on."""


State = TypeVar("State", bound=Watched)


def watch(
    read: Callable[[], State],
    *,
    say: Callable[[str], None],
    wait: Callable[[float], None],
    clock: Callable[[], datetime],
    patience: timedelta = PATIENCE,
) -> Iterator[State]:
    """Yield how far something is until it has ended; the last one says how.

    Args:
        read: asks for it.
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
            state = read()
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
            yield state
            if not state.unfinished:
                return
        wait(POLL_SECONDS)
