from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from customer_pipeline.timestamps import (
    ceil_sent,
    floor_sent,
    format_sent,
    parse_http_date,
    parse_instants,
    sent_resolution,
)

INSTANT = datetime(2026, 11, 23, 8, 50, 59, 987654, tzinfo=ZoneInfo("Europe/Zurich"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# no sooner than the year 1000: strftime does not pad %Y, and without rounding up beyond the last instant
INSTANTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 -- st's way
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("format", "digits", "offset", "text", "resolution"),
    [
        ("rfc3339", 6, "Z", "2026-11-23T07:50:59.987654Z", MICROSECOND),
        ("rfc3339", 3, "+00:00", "2026-11-23T07:50:59.987+00:00", timedelta(milliseconds=1)),
        ("rfc3339", 1, "Z", "2026-11-23T07:50:59.9Z", timedelta(milliseconds=100)),
        ("rfc3339", 0, "Z", "2026-11-23T07:50:59Z", timedelta(seconds=1)),
        ("epoch_s", 6, "Z", "1795420259", timedelta(seconds=1)),
        ("epoch_ms", 6, "Z", "1795420259987", timedelta(milliseconds=1)),
        ("%Y-%m-%d %H:%M:%S.%fZ", 6, "Z", "2026-11-23 07:50:59.987654Z", MICROSECOND),
        ("%Y-%m-%d %H:%M:%S.%fZ", 3, "Z", "2026-11-23 07:50:59.987Z", timedelta(milliseconds=1)),
        ("%Y-%m-%d %H:%M:%S", 6, "Z", "2026-11-23 07:50:59", timedelta(seconds=1)),
        ("%d.%m.%Y %H:%M", 6, "Z", "23.11.2026 07:50", timedelta(minutes=1)),
        ("%Y%m%d%H", 6, "Z", "2026112307", timedelta(hours=1)),
        ("%Y-%m-%d", 6, "Z", "2026-11-23", timedelta(days=1)),
        ("%%f%%%Y-%j", 6, "Z", "%f%2026-327", timedelta(days=1)),
    ],
)
def test_an_instant_is_sent_rounded_down_in_the_form_the_provider_expects(
    *,
    format: str,  # noqa: A002 -- the profile's word
    digits: int,
    offset: str,
    text: str,
    resolution: timedelta,
) -> None:
    assert format_sent(INSTANT, format=format, digits=digits, offset=offset) == text
    assert sent_resolution(format=format, digits=digits) == resolution


def test_an_instant_before_1970_is_rounded_down_too() -> None:
    just_before = EPOCH - MICROSECOND

    assert format_sent(just_before, format="epoch_s", digits=0, offset="Z") == "-1"
    assert format_sent(just_before, format="epoch_ms", digits=0, offset="Z") == "-1"
    assert floor_sent(just_before, timedelta(seconds=1)) == EPOCH - timedelta(seconds=1)
    assert ceil_sent(just_before, timedelta(seconds=1)) == EPOCH


def test_a_format_that_does_not_tell_days_apart_is_refused() -> None:
    with pytest.raises(ValueError, match="send at least the date"):
        sent_resolution(format="%Y-%m", digits=6)


def test_a_naive_datetime_is_not_sent() -> None:
    with pytest.raises(ValueError, match="has no instant"):
        format_sent(datetime(2026, 11, 23), format="rfc3339", digits=6, offset="Z")  # noqa: DTZ001


@given(
    INSTANTS,
    st.sampled_from([
        ("rfc3339", "iso8601"), ("epoch_s", "epoch_s"), ("epoch_ms", "epoch_ms"),
        ("%Y-%m-%d %H:%M:%S.%f", "iso8601"), ("%Y-%m-%dT%H:%M", "iso8601"), ("%d/%m/%Y", "%d/%m/%Y"),
    ]),
    st.integers(1, 6),
)  # fmt: skip
def test_what_is_sent_encloses_what_is_meant(instant: datetime, form: tuple[str, str], digits: int) -> None:
    resolution = sent_resolution(format=form[0], digits=digits)
    floor, ceil = floor_sent(instant, resolution), ceil_sent(instant, resolution)
    texts = [format_sent(each, format=form[0], digits=digits, offset="Z") for each in (instant, floor, ceil)]

    assert floor <= instant <= ceil
    assert ceil - floor in {timedelta(0), resolution}
    assert parse_instants(texts, formats=(form[1],), zone=UTC).tolist() == [floor, floor, ceil]


@given(INSTANTS, st.timedeltas(MICROSECOND, timedelta(days=1)))
def test_rounding_keeps_what_is_a_multiple_already(instant: datetime, resolution: timedelta) -> None:
    floor = floor_sent(instant, resolution)
    assume(floor.year >= 1000)

    assert floor_sent(floor, resolution) == ceil_sent(floor, resolution) == floor
    assert (floor - EPOCH) % resolution == timedelta(0)
    assert instant - floor < resolution


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 09:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37 -0000",
    ],
)
def test_the_dates_of_http_headers_are_read(text: str) -> None:
    instant = parse_http_date(text)

    assert instant == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert instant.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "120",
        "soon",
        "-1",
        "Sun, 36 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 99999 08:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "\ud800",
    ],
)
def test_a_header_that_holds_no_date_gives_none(text: str) -> None:
    assert parse_http_date(text) is None


TOKENS = st.sampled_from(
    ["Sun", ",", ":", "-", "+", "6", "06", "99", "1994", "Nov", "08:49:37", "GMT", "+9999", "(", " "]
)


@given(st.text() | st.lists(TOKENS).map("".join) | st.lists(TOKENS).map(" ".join))
def test_no_header_makes_the_parser_raise(text: str) -> None:
    instant = parse_http_date(text)

    assert instant is None or instant.tzinfo is UTC
