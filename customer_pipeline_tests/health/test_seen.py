"""What was reported last."""

from datetime import timedelta

import pytest

from customer_pipeline.health.seen import Seen
from customer_pipeline_tests.health.days import AT

SEEN = Seen(looked=AT, ended=AT - timedelta(minutes=3), shown="ppm")


def test_a_cursor_survives() -> None:
    assert Seen.parse(SEEN.dump()) == SEEN


@pytest.mark.parametrize("cursor", [None, "", "x", "[]", "{}", "null", '{"looked": 1, "ended": 2, "shown": "p"}'])
def test_what_cannot_be_read_was_not_seen(cursor: str | None) -> None:
    assert Seen.parse(cursor) is None


def test_the_day_is_looked_at_again_after_ten_minutes() -> None:
    assert not SEEN.is_old(AT + timedelta(minutes=9, seconds=59))
    assert SEEN.is_old(AT + timedelta(minutes=10))
