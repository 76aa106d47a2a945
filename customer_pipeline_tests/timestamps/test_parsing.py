from collections.abc import Sequence
from datetime import MAXYEAR, UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from customer_pipeline.timestamps import parse_dates, parse_instants

ZURICH = ZoneInfo("Europe/Zurich")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT_FORMATS = ("iso8601", "rfc2822")
ALL_FORMATS = (*TEXT_FORMATS, "epoch_s", "%d.%m.%Y %H:%M")

INSTANTS = st.datetimes(timezones=st.just(UTC))
ZONES = st.sampled_from([UTC, ZURICH, NEW_YORK, LORD_HOWE, APIA, timezone(timedelta(hours=-3, minutes=-30))])
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def instants(values: Sequence[object] | pd.Series, formats: Sequence[str] = ALL_FORMATS, zone: tzinfo = UTC) -> Any:
    column = parse_instants(values, formats=formats, zone=zone)
    assert column.dtype == "datetime64[us, UTC]"
    return [None if value is pd.NaT else value.to_pydatetime() for value in column]


def instant(value: object, formats: Sequence[str] = ALL_FORMATS, zone: tzinfo = UTC) -> Any:
    (only,) = instants([value], formats, zone)
    return only


def dates(values: Sequence[object] | pd.Series, formats: Sequence[str] = ALL_FORMATS, zone: tzinfo = UTC) -> Any:
    column = parse_dates(values, formats=formats, zone=zone)
    assert column.dtype == object
    return column.tolist()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def localized(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        assume(False)  # noqa: FBT003 -- the zone's clock leaves the years 1 to 9999
        raise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T07:50:00Z", "2026-11-23T07:50:00"),
        ("2026-11-23t07:50:00z", "2026-11-23T07:50:00"),
        ("2026-11-23 07:50:00.493Z", "2026-11-23T07:50:00.493"),
        ("2026-11-23T07:50:00.1Z", "2026-11-23T07:50:00.1"),
        ("2026-11-23T07:50:00.123456999Z", "2026-11-23T07:50:00.123456"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999"),
        ("2026-11-23T07:50Z", "2026-11-23T07:50:00"),
        ("2026-11-23T07:50:00+02", "2026-11-23T05:50:00"),
        ("2026-11-23T07:50:00+0230", "2026-11-23T05:20:00"),
        ("2026-11-23T07:50:00+02:30", "2026-11-23T05:20:00"),
        ("2026-11-23T07:50:00-02:30", "2026-11-23T10:20:00"),
        ("2026-11-23T07:50:00-00:00", "2026-11-23T07:50:00"),
        ("2026-11-23T07:50:00", "2026-11-23T06:50:00"),
        ("2026-11-23 07:50", "2026-11-23T06:50:00"),
        ("2026-11-23", "2026-11-22T23:00:00"),
        ("\t 2026-11-23T07:50:00Z\n", "2026-11-23T07:50:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00"),
        ("2017-01-01T00:59:60.25+01:00", "2017-01-01T00:00:00.25"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
    ],
)
def test_iso8601_reads_rfc3339_and_its_neighbours(text: str, expected: str) -> None:
    assert instant(text, ["iso8601"], ZURICH) == utc(expected)


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "now", "today", "NaT", "nan",
        "None", "N/A", "garbage", "2026", "2026-11", "20261123", "20261123T075000Z",
        "2026-1-3", "2026/11/23", "2026-11-23T", "2026-11-23T07", "2026-11-23T0750Z", "2026-11-23T07:50:00.Z",
        "2026-11-23T07:50:00,123Z", "2026-11-23T07:50:00.1234567891Z",
        "2026-11-23T07:50:00 Z", "2026-11-23T07:50:00UTC",
        "2026-11-23T07:50:00+2", "2026-11-23T07:50:00+24:00",
        "2026-11-23T07:50:00+02:60", "2026-11-23T07:50:00+02:00:30",
        "2026-11-23T24:00:00Z", "2026-11-23T07:60:00Z", "2026-11-23T07:50:61Z",
        "2026-00-23", "2026-13-23", "2026-11-00",
        "2026-11-31", "2026-02-29", "1900-02-29T00:00:00Z", "2026-11-23T07:50:00ZZ", "x2026-11-23", "2026-11-23x",
        "2026-11-23\n2026-11-23", "-2026-11-23", "+002026-11-23", "2026-W48-1", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:60Z", "\u0662026-11-23", "\ud800",
        "2026-11-23T07:50:00\u2212 01:00", "2026-11-23\x00", "1700000000", 1_700_000_000, 20261123, 1.7e9, True, False,
        np.True_, None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "us"), [], {}, object(), b"2026-11-23", 1j,
        Decimal(1), timedelta(1), np.timedelta64(1, "s"),
    ],
)  # fmt: skip
def test_iso8601_refuses_what_it_would_have_to_guess(value: object) -> None:
    assert instant(value, ["iso8601"]) is None
    assert dates([value], ["iso8601"]) == [None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mon, 23 Nov 2026 07:50:00 +0000", "2026-11-23T07:50:00"),
        ("Mon, 23 Nov 2026 07:50:00 -0530", "2026-11-23T13:20:00"),
        ("Mon, 23 Nov 2026 07:50:00 GMT", "2026-11-23T07:50:00"),
        ("23 nov 2026 7:50 ut", "2026-11-23T07:50:00"),
        ("Mon, 23 Nov 2026 07:50:00 EST", "2026-11-23T12:50:00"),
        ("Mon, 23 Nov 2026 07:50:00 PDT", "2026-11-23T14:50:00"),
        ("Mon, 23 Nov 2026 07:50:00 -0000", "2026-11-23T07:50:00"),
        ("Mon, 23 Nov 2026 07:50:00 +0100 (CET)", "2026-11-23T06:50:00"),
        ("Mon , 23  Nov  2026  07:50:00  Z", "2026-11-23T07:50:00"),
        ("Mon, 23 Nov 2026 07:50:00", "2026-11-23T06:50:00"),
        ("01 Jan 49 00:00:00 GMT", "2049-01-01T00:00:00"),
        ("01 Jan 50 00:00:00 GMT", "1950-01-01T00:00:00"),
        ("01 Jan 126 00:00:00 GMT", "2026-01-01T00:00:00"),
        ("Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00"),
    ],
)
def test_rfc2822_reads_the_dates_of_e_mails(text: str, expected: str) -> None:
    assert instant(text, ["rfc2822"], ZURICH) == utc(expected)


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 23 Nov 2026 07:50:00 CET", "Mon, 23 Nov 2026 07:50:00 A", "Mon, 23 Nov 2026 07:50:00 +01:00",
        "Mon, 23 Nov 2026 07:50:00 +2400", "Mon, 31 Nov 2026 07:50:00 GMT", "Mon, 0 Nov 2026 07:50:00 GMT",
        "Mon, 23 Foo 2026 07:50:00 GMT", "Mon, 23 Nov 20260 07:50:00 GMT",
        "Mon, 23 Nov 2026", "Mon, 23 Nov 2026 24:00:00 GMT",
        "Monday, 23-Nov-26 07:50:00 GMT", "Mon Nov 23 07:50:00 2026", "2026-11-23T07:50:00Z", "120",
        "Mon, 23 \u017fep 2026 07:50:00 GMT",
    ],
)  # fmt: skip
def test_rfc2822_refuses_what_it_would_have_to_guess(text: str) -> None:
    assert instant(text, ["rfc2822"]) is None


@pytest.mark.parametrize(
    ("format_", "value", "microseconds"),
    [
        ("epoch_s", 1_795_420_259, 1_795_420_259_000_000),
        ("epoch_s", "1795420259.9876549", 1_795_420_259_987_654),
        ("epoch_s", 1795420259.987654, 1_795_420_259_987_654),
        ("epoch_s", np.float64(1795420259.987654), 1_795_420_259_987_654),
        ("epoch_s", Decimal("1795420259.9876549"), 1_795_420_259_987_654),
        ("epoch_s", "-0.0000001", -1),
        ("epoch_s", "-1.5", -1_500_000),
        ("epoch_s", "+0001", 1_000_000),
        ("epoch_s", " 0 ", 0),
        ("epoch_s", 1e-06, 1),
        ("epoch_s", -1e-07, -1),
        ("epoch_s", np.int64(-1), -1_000_000),
        ("epoch_s", "1." + "9" * 400, 1_999_999),
        ("epoch_ms", 1_795_420_259_987, 1_795_420_259_987_000),
        ("epoch_ms", "1795420259987.6549", 1_795_420_259_987_654),
        ("epoch_ms", 1795420259987.654, 1_795_420_259_987_654),
        ("epoch_us", 1_795_420_259_987_654, 1_795_420_259_987_654),
        ("epoch_us", "1795420259987654.9", 1_795_420_259_987_654),
        ("epoch_us", "-0.9", -1),
        ("epoch_us", 1.795420259987654e15, 1_795_420_259_987_654),
        ("epoch_us", 2.5e17, 250_000_000_000_000_000),
    ],
)
def test_epoch_numbers_are_exact_to_the_microsecond(format_: str, value: object, microseconds: int) -> None:
    assert instant(value, [format_]) == EPOCH + timedelta(microseconds=microseconds)


@pytest.mark.parametrize("format_", ["epoch_s", "epoch_ms", "epoch_us"])
@pytest.mark.parametrize(
    "value",
    [
        True, "", "-", ".", "1.", ".5", "1,5", "1 000",
        "1e9", "0x10", "1_000", "nan", "inf", "--1", "2026-11-23", float("inf"),
        float("nan"), float("-inf"), 10**400, pytest.param(10**5000, id="huge"),
        -(10**19), "9" * 400, 10**18 + 1, 1e300, 1e-300, Decimal("1e999999"),
        Decimal("NaN"), Decimal("sNaN"), 1j, "\u0661", None,
    ],
)  # fmt: skip
def test_what_is_no_number_in_range_is_no_epoch_time(format_: str, value: object) -> None:
    assert instant(value, [format_]) is None


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("%d.%m.%Y %H:%M", "23.11.2026 07:50", "2026-11-23T06:50:00"),
        ("%d.%m.%Y %H:%M", "29.03.2026 02:30", "2026-03-29T01:30:00"),
        ("%Y-%m-%d %H:%M:%S.%f %z", "2026-11-23 07:50:00.1234 -0330", "2026-11-23T11:20:00.1234"),
        ("%Y年%m月%d日", "2026年11月23日", "2026-11-22T23:00:00"),
        ("%d/%m/%y %I:%M %p", "23/11/26 07:50 PM", "2026-11-23T18:50:00"),
    ],
)
def test_a_strptime_pattern_reads_with_or_without_an_offset(pattern: str, text: str, expected: str) -> None:
    assert instants([text, "23.11.2026", None, text, "\ud800"], [pattern], ZURICH) == [
        utc(expected), None, None, utc(expected), None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("iso", "is no datetime format"),
        ("%H:%M", "reads no year"),
        ("%Y-%m-%d %Z", "zone's name is ambiguous"),
        ("%Y %Q", "is no strptime pattern"),
        ("%Y %Y", "is no strptime pattern"),
    ],
)
def test_a_format_that_cannot_be_used_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_instants([], formats=[name], zone=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 11, 23, 7, 50, tzinfo=UTC), "2026-11-23T07:50:00"),
        (datetime(2026, 11, 23, 7, 50, tzinfo=NEW_YORK), "2026-11-23T12:50:00"),
        (datetime(2026, 11, 23, 7, 50), "2026-11-23T06:50:00"),  # noqa: DTZ001
        (datetime(2026, 10, 25, 2, 30), "2026-10-25T00:30:00"),  # noqa: DTZ001
        (datetime(2026, 10, 25, 2, 30, fold=1), "2026-10-25T01:30:00"),  # noqa: DTZ001
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZURICH), "2026-10-25T01:30:00"),
        (date(2026, 11, 23), "2026-11-22T23:00:00"),
        (pd.Timestamp("2026-11-23T07:50:00.123456789Z"), "2026-11-23T07:50:00.123456"),
        (pd.Timestamp("1960-01-01T00:00:00.000000001"), "1959-12-31T23:00:00"),
        (np.datetime64("2026-11-23T07:50:00.123456789"), "2026-11-23T06:50:00.123456"),
        (np.datetime64("1969-12-31T23:59:59.999999999"), "1969-12-31T22:59:59.999999"),
        (np.datetime64("2026-11-23"), "2026-11-22T23:00:00"),
        (datetime.max, None),  # noqa: DTZ901
        (datetime.min, None),  # noqa: DTZ901
        (np.datetime64("20000-01-01"), None),
        (np.datetime64("-9223372036854775807", "Y"), None),
        (np.datetime64(2**62, "us"), None),
    ],
)
def test_datetimes_of_python_pandas_and_numpy_are_taken_whatever_the_formats(value: object, expected: str) -> None:
    zone = timezone(timedelta(hours=-1)) if value is datetime.max else ZURICH  # noqa: DTZ901

    assert instant(value, ["epoch_s"], zone) == (expected and utc(expected))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_columns_of_datetimes_keep_their_meaning_in_every_unit(unit: str) -> None:
    naive = pd.Series(["1969-12-31T23:59:59.999999999", None], dtype="datetime64[ns]").dt.as_unit(unit)
    second = naive.dt.tz_localize("America/New_York")

    assert instants(naive, zone=ZURICH) == [instant(naive[0], zone=ZURICH), None]
    assert instants(second) == [instant(second[0]), None]
    assert instants(naive.astype(object), zone=ZURICH) == instants(naive, zone=ZURICH)


def test_a_column_of_datetimes_beyond_the_calendar_is_unusable_there() -> None:
    column = pd.Series(np.array(["20000-01-01", "2026-11-23", "-0001-01-01"], dtype="datetime64[s]"))

    assert instants(column) == [None, utc("2026-11-23"), None]
    assert dates(column) == [None, "2026-11-23", None]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["2026-11-23T07:50:00Z", None], dtype="str"),
        pd.Series(["2026-11-23T07:50:00Z", None], dtype=object),
        pd.Series(["2026-11-23T07:50:00Z", None], dtype="category"),
        pd.Series([1795420200, None]),
        pd.Series([1795420200, None], dtype="Int64"),
        ("2026-11-23T07:50:00Z", None),
        np.array(["2026-11-23T07:50:00Z", None], dtype=object),
        np.array(["2026-11-23T07:50:00", "NaT"], dtype="datetime64[s]"),
    ],
)
def test_every_kind_of_column_is_read(values: Any) -> None:
    assert instants(values) == [utc("2026-11-23T07:50:00"), None]


def test_results_keep_the_index_of_a_series() -> None:
    values = pd.Series(["2026-11-23", "x"], index=[7, 7])

    assert list(parse_instants(values, formats=ALL_FORMATS, zone=UTC).index) == [7, 7]
    assert list(parse_dates(values, formats=ALL_FORMATS, zone=UTC).index) == [7, 7]


def test_an_empty_column_has_its_type() -> None:
    assert instants([]) == []
    assert instants(pd.Series([], dtype="datetime64[ns]")) == []
    assert dates([]) == []


def test_formats_are_tried_in_their_order() -> None:
    assert instant("1795420200", ["iso8601", "epoch_ms", "epoch_s"]) == utc("1970-01-21T18:43:40.2")
    assert instant(1795420200, ["iso8601", "epoch_s", "epoch_ms"]) == utc("2026-11-23T07:50:00")
    assert instant("01/02/2026", ["%m/%d/%Y", "%d/%m/%Y"]) == utc("2026-01-02")
    assert instant("13/02/2026", ["%m/%d/%Y", "%d/%m/%Y"]) == utc("2026-02-13")


@pytest.mark.parametrize(
    ("zone", "clock", "expected"),
    [
        (ZURICH, "2026-03-29T01:59:59", "2026-03-29T00:59:59"),
        (ZURICH, "2026-03-29T02:00:00", "2026-03-29T01:00:00"),
        (ZURICH, "2026-03-29T02:59:59", "2026-03-29T01:59:59"),
        (ZURICH, "2026-03-29T03:00:00", "2026-03-29T01:00:00"),
        (ZURICH, "2026-10-25T02:00:00", "2026-10-25T00:00:00"),
        (ZURICH, "2026-10-25T02:59:59", "2026-10-25T00:59:59"),
        (ZURICH, "2026-10-25T03:00:00", "2026-10-25T02:00:00"),
        (NEW_YORK, "2026-03-08T02:30:00", "2026-03-08T07:30:00"),
        (NEW_YORK, "2026-11-01T01:30:00", "2026-11-01T05:30:00"),
        (LORD_HOWE, "2026-10-04T02:15:00", "2026-10-03T15:45:00"),
        (LORD_HOWE, "2026-04-05T01:45:00", "2026-04-04T14:45:00"),
        (NEW_YORK, "1883-11-18T12:01:00", "1883-11-18T16:57:02"),
    ],
)
def test_gaps_and_folds_take_the_offset_before_the_transition(zone: ZoneInfo, clock: str, expected: str) -> None:
    year = int(clock[:4])
    column = [clock, clock.replace("T", " "), datetime.fromisoformat(clock), np.datetime64(clock), f"{year}-07-01"]

    assert instants(column, zone=zone)[:4] == [utc(expected)] * 4
    assert instants([clock, clock], zone=zone) == [utc(expected)] * 2
    assert instants(pd.Series([np.datetime64(clock)]), zone=zone) == [utc(expected)]
    assert instant(clock, ["%Y-%m-%dT%H:%M:%S"], zone) == utc(expected)


@given(INSTANTS, OFFSETS)
def test_every_instant_is_read_back_from_each_form_it_is_written_in(moment: datetime, offset: timezone) -> None:
    local = localized(moment, offset)
    second, milli = moment.replace(microsecond=0), moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    micros = (moment - EPOCH) // timedelta(microseconds=1)
    iso = moment.isoformat(timespec="microseconds").removesuffix("+00:00")
    forms: dict[str, list[tuple[object, datetime]]] = {
        "iso8601": [
            (local.isoformat(), moment),
            (local.isoformat(sep=" ", timespec="milliseconds"), milli),
            (local.isoformat("t"), moment),
            (f"{iso}789Z", moment),
            (f"{iso}z", moment),
            (iso, moment),
        ],
        "rfc2822": [(format_datetime(local), second)],
        "epoch_s": [(f"{Decimal(micros).scaleb(-6):f}", moment), ((second - EPOCH) // timedelta(seconds=1), second)],
        "epoch_ms": [(f"{Decimal(micros).scaleb(-3):f}", moment), (micros // 1000, milli)],
        "epoch_us": [(micros, moment), (str(micros), moment), (f"{micros}.0", moment)],
    }
    if moment.year < 1000:
        del forms["rfc2822"]

    for name, cases in forms.items():
        assert instants([value for value, _ in cases], [name]) == [expected for _, expected in cases]
    for value in (moment, local, pd.Timestamp(moment), np.datetime64(moment.replace(tzinfo=None))):
        assert instant(value, []) == moment


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), ZONES)  # noqa: DTZ001
@example(datetime(2011, 12, 30, 12), APIA)  # noqa: DTZ001 -- a day that Apia skipped
def test_a_naive_clock_means_what_python_says_it_means_in_the_zone(clock: datetime, zone: tzinfo) -> None:
    expected = clock.replace(tzinfo=zone, fold=0).astimezone(UTC)

    assert instants([clock.isoformat(), f"{clock} ", np.datetime64(clock)], zone=zone) == [expected] * 3
    assert dates([clock.isoformat(), clock, clock.date(), str(clock.date())], zone=zone) == [str(clock.date())] * 4


CLOCK = "[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**19), 10**19)
    | st.floats()
    | st.text(max_size=30)
    | st.text("0123456789-:+.TZ zt", max_size=30)
    | st.datetimes()
    | st.datetimes(timezones=ZONES)
    | st.dates()
    | INSTANTS.map(lambda moment: moment.isoformat().replace("+00:00", "Z"))
    | st.datetimes().map(str)
    | st.dates().map(str)
    | st.tuples(INSTANTS, OFFSETS).map(lambda pair: f"{pair[0]:%Y-%m-%dT%H:%M:%S}{pair[1].utcoffset(None)}")
    | st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?(Z|\+0[0-9]:00)?\Z"
    )
    | INSTANTS.map(format_datetime)
)


@given(st.lists(VALUES, max_size=12), ZONES)
@example(["2026-02-30T00:00:00Z", "2026-02-28T00:00:00Z"], UTC)
@example(["9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z"], UTC)
def test_a_value_means_the_same_alone_as_among_others(values: list[object], zone: tzinfo) -> None:
    assert instants(values, zone=zone) == [instant(value, zone=zone) for value in values]
    assert instants(pd.Series(values, dtype=object), zone=zone) == instants(values, zone=zone)
    assert dates(values, zone=zone) == [dates([value], zone=zone)[0] for value in values]


@given(
    st.from_regex(
        r"\A[0-9]{4}-[0-1][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{6})?(Z|[+-]0[0-9]:[0-6]0)\Z"
    )
)
def test_the_quick_way_and_the_exact_way_agree_with_python(text: str) -> None:
    try:
        expected: datetime | None = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        expected = None
    assume(":60" not in text)

    assert instant(text) == expected
    assert instants([text, "2026-11-23"])[0] == expected


@given(INSTANTS, ZONES)
def test_an_instant_has_the_date_of_its_zone(moment: datetime, zone: tzinfo) -> None:
    local = localized(moment, zone)

    assert dates([moment, moment.isoformat(), local], zone=zone) == [str(local.date())] * 3


def test_a_date_alone_is_kept_though_no_instant_can_name_it() -> None:
    values = ["2011-12-30", "0001-01-01", date(MAXYEAR, 12, 31), "2026-11-23T23:30:00Z", 1795420200, "x"]

    assert dates(values, zone=ZURICH) == ["2011-12-30", "0001-01-01", "9999-12-31", "2026-11-24", "2026-11-23", None]
    assert dates(["2011-12-30", "2011-12-30T12:00:00Z"], zone=APIA) == ["2011-12-30", "2011-12-31"]
    assert dates(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"], zone=NEW_YORK) == [None, "9999-12-31"]
    assert dates(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"], zone=APIA) == ["0001-01-01", None]
