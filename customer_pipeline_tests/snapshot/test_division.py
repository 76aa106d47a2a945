from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customer_pipeline.provider.profile import Profile
from customer_pipeline.snapshot.division import can_be_divided, described, grows_by_value, halves, is_divided, rest
from customer_pipeline.windows import Window

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SINCE, BOTH = {"since": "{since}"}, {"since": "{since}", "until": "{until}"}


def profile(query: dict[str, str], *, order: str = "unspecified", stable: bool = False, **sent: Any) -> Profile:
    return Profile.model_validate(
        {
            "name": "p",
            "base_url": "http://provider.test",
            "list": {"path": "customers", "query": query, "datetimes": sent},
            "pagination": {"style": "cursor", "cursor": "next", "order": order, "stable": stable},
            "fields": {"id": "id", "updated_at": "at"},
        }
    )


@pytest.mark.parametrize(
    ("one", "divided", "by_value"),
    [
        (profile(BOTH), True, False),
        (profile(BOTH, stable=True), True, False),
        (profile(BOTH, order="ascending"), True, True),
        (profile(BOTH, order="descending"), True, True),
        (profile(SINCE, order="ascending"), True, True),
        # It never stops at the end of a part: every part would be the whole.
        (profile(SINCE, order="ascending", stable=True), False, False),
        (profile(SINCE, order="descending"), False, False),
        (profile(SINCE), False, False),
        (profile({}), False, False),
    ],
)
def test_a_walk_is_divided_where_a_part_costs_no_more_than_it_has(
    one: Profile,
    divided: bool,  # noqa: FBT001 -- a case
    by_value: bool,  # noqa: FBT001 -- a case
) -> None:
    assert is_divided(one) == divided
    assert grows_by_value(one) == by_value
    assert ("cannot be divided" in described(one, at_once=2)) is not divided


@pytest.mark.parametrize(
    ("sent", "length", "divisible"),
    [
        ({"format": "rfc3339"}, timedelta(seconds=4), True),
        ({"format": "rfc3339"}, timedelta(seconds=3), False),
        ({"format": "%Y-%m-%d"}, timedelta(days=4), True),
        ({"format": "%Y-%m-%d"}, timedelta(days=3), False),
    ],
)
def test_halves_lie_on_what_the_sent_format_can_say(
    sent: dict[str, Any],
    length: timedelta,
    divisible: bool,  # noqa: FBT001 -- a case
) -> None:
    one, part = profile(BOTH, **sent), Window(NOON, NOON + length)

    parts = halves(part, one)

    assert can_be_divided(part, one) == divisible
    assert len(parts) == 1 + divisible
    assert (parts[0].start, parts[-1].end) == (part.start, part.end)
    if divisible:
        middle = parts[0].end
        assert middle == parts[1].start
        assert middle.microsecond == 0
        assert "%" not in sent["format"] or (middle.hour, middle.minute) == (0, 0)


def test_the_rest_is_what_is_not_settled() -> None:
    part = Window(NOON, NOON + timedelta(hours=3))
    hours = [NOON + timedelta(hours=number) for number in range(4)]

    assert rest(part, Window(hours[1], hours[2])) == [Window(hours[0], hours[1]), Window(hours[2], hours[3])]
    assert rest(part, part) == []
