from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from customer_pipeline.instance.graphql import WebserverError, WebserverUnreachable
from customer_pipeline.instance.progress import Progress
from customer_pipeline.instance.watching import PATIENCE, ContactLost, watch

START = datetime(2026, 11, 23, tzinfo=UTC)
GONE = WebserverUnreachable("the webserver does not answer")


def progress(status: str, done: int) -> Progress:
    return Progress(status=status, total=9, done=done, failed=0, running=9 - done)


class World:
    """Answers in turn, the last one for ever; time passes only while it is waited."""

    def __init__(self, *answers: Progress | WebserverError) -> None:
        self.answers = list(answers)
        self.said: list[str] = []
        self.now = START

    def read(self) -> Progress:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, WebserverError):
            raise answer
        return answer

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def watch(self, read: Callable[[], Progress] | None = None) -> list[Progress]:
        return list(watch(read or self.read, say=self.said.append, wait=self.wait, clock=lambda: self.now))


@pytest.mark.parametrize("last", ["COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"])
def test_a_backfill_is_watched_to_its_end(last: str) -> None:
    answers = [progress("REQUESTED", 0), progress("REQUESTED", 4), progress("CANCELING", 4), progress(last, 9)]

    assert World(*answers).watch() == answers


def test_a_webserver_that_comes_back_is_said_once_and_waited_for() -> None:
    world = World(progress("REQUESTED", 0), GONE, WebserverError("not loaded yet"), GONE, progress("COMPLETED", 9))

    assert [one.done for one in world.watch()] == [0, 9]
    assert world.said == [
        "the webserver does not answer; asking again for 5 minutes",
        "the webserver answers again",
    ]


def test_a_webserver_that_stays_away_is_given_up_after_a_bounded_time() -> None:
    world = World(progress("REQUESTED", 3), GONE)

    with pytest.raises(ContactLost, match="does not answer"):
        world.watch()

    assert PATIENCE <= world.now - START <= PATIENCE + timedelta(seconds=10)


def test_patience_is_whole_again_after_an_answer() -> None:
    away: list[Progress | WebserverError] = [GONE] * 100
    world = World(*away, progress("REQUESTED", 3), *away, progress("COMPLETED_SUCCESS", 9))

    assert world.watch()[-1].done == 9
