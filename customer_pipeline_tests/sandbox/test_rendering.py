"""The forms of a datetime in an answer, as pure functions."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
import pytest

from customer_pipeline import timestamps
from customer_pipeline.sandbox.rendering import DatetimeForm, render
from customer_pipeline.sandbox.store import Row

BEFORE_THE_FOLD = datetime(2026, 10, 24, 23, 59, 59, 123456, tzinfo=UTC)
IN_THE_FOLD = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
AFTER_THE_FOLD = datetime(2026, 10, 25, 2, 0, tzinfo=UTC)
ZURICH = ZoneInfo("Europe/Zurich")


def rendered(instant: datetime, *, seq: int, form: DatetimeForm) -> object:
    microseconds = timestamps.epoch_microseconds(instant)
    row = Row(seq, "x", microseconds, microseconds, deleted=False, verbatim=False, body=b'{"id":"x"}')
    record = orjson.loads(render(row, updated=form, created=form))
    assert record["created_at"] == record["updated_at"]
    return record["updated_at"]


def test_the_mixture_gives_each_customer_one_form_of_five() -> None:
    assert [rendered(BEFORE_THE_FOLD, seq=seq, form=DatetimeForm.MIXED) for seq in range(5)] == [
        "2026-10-24T23:59:59.123456Z",
        "2026-10-25T05:29:59.123456+05:30",
        "2026-10-25 01:59:59.123456",
        "Sat, 24 Oct 2026 23:59:59 +0000",
        1792886399123,
    ]


@pytest.mark.parametrize("instant", [IN_THE_FOLD, IN_THE_FOLD + timedelta(hours=1)])
def test_the_mixture_never_writes_an_ambiguous_local_time(instant: datetime) -> None:
    text = rendered(instant, seq=2, form=DatetimeForm.MIXED)
    assert isinstance(text, str)
    assert timestamps.parse_rfc3339(text) == instant
    assert text.endswith("+00:00")


def test_local_times_beside_the_fold_are_naive() -> None:
    assert rendered(AFTER_THE_FOLD, seq=2, form=DatetimeForm.MIXED) == "2026-10-25 03:00:00.000000"


def test_the_naive_form_is_the_wall_clock_of_zurich_even_where_it_is_ambiguous() -> None:
    texts = {rendered(IN_THE_FOLD + timedelta(hours=hours), seq=1, form=DatetimeForm.NAIVE) for hours in (0, 1)}
    assert texts == {"2026-10-25T02:30:00.000000"}
    assert IN_THE_FOLD.astimezone(ZURICH).hour == 2
