import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.healing.memory import Attempt, Memory
from customer_pipeline.windows import WINDOW_LENGTH, Window

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def span(first: int, length: int) -> Window:
    return Window(NOON + first * WINDOW_LENGTH, NOON + (first + length) * WINDOW_LENGTH)


SPANS = st.builds(span, st.integers(-30_000, 0), st.integers(1, 20_000))
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- st's way
ATTEMPTS = st.builds(
    Attempt,
    windows=SPANS,
    tries=st.integers(0, 9),
    part=st.booleans(),
    failed=st.none() | INSTANTS,
    doubted=st.none() | INSTANTS,
    run_key=st.text(max_size=20),
    requested=st.none() | INSTANTS,
)
MEMORIES = st.builds(
    Memory,
    configuration=st.text(max_size=8),
    attempts=st.lists(ATTEMPTS, max_size=4).map(tuple),
    settled=st.lists(SPANS, max_size=4).map(tuple),
)


@given(MEMORIES)
def test_everything_survives_the_way_into_a_cursor_and_back(memory: Memory) -> None:
    assert Memory.parse(memory.dump()) == memory


@pytest.mark.parametrize("cursor", [None, ""])
def test_the_first_evaluation_remembers_nothing_and_says_nothing(
    cursor: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert Memory.parse(cursor) == Memory()
    assert caplog.text == ""


GOOD = Memory(settled=(span(-6, 2),), attempts=(Attempt(windows=span(-3, 1), requested=NOON, run_key="k"),))
CONTENT = json.loads(GOOD.dump())


@pytest.mark.parametrize(
    "cursor",
    [
        "2026-11-23T0750Z",
        "{",
        "[]",
        "null",
        "1",
        "{}",
        "[" * 100_000,
        json.dumps(CONTENT | {"form": 0}),
        json.dumps(CONTENT | {"form": 2}),
        json.dumps(CONTENT | {"given_up": [["2026-11-23T0755Z", 1]]}),
        json.dumps(CONTENT | {"given_up": [["2026-11-23T0750Z", 0]]}),
        json.dumps(CONTENT | {"given_up": [["2026-11-23T0750Z", 10**12]]}),
        json.dumps(CONTENT | {"given_up": ["2026-11-23T0750Z"]}),
        json.dumps(CONTENT | {"attempts": [{}]}),
        json.dumps(CONTENT | {"attempts": [{"windows": ["2026-11-23T0750Z", 1], "failed": "yesterday"}]}),
        json.dumps(CONTENT | {"attempts": [[]]}),
    ],
)
def test_a_cursor_that_cannot_be_read_or_is_of_another_form_starts_anew_and_that_is_logged(
    cursor: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert Memory.parse(cursor) == Memory()
    assert "starts anew" in caplog.text
    assert "0750Z" not in caplog.text


def test_given_up_windows_are_named_as_contiguous_ranges_without_those_that_were_refused_once() -> None:
    doubted = Attempt(windows=span(-4, 1), doubted=NOON)
    memory = Memory(settled=(span(-6, 2), span(-20, 1)), attempts=(doubted, Attempt(windows=span(-9, 1), tries=3)))

    assert memory.given_up == [span(-20, 1), span(-6, 2)]


def test_a_new_configuration_forgets_every_failure_but_no_request() -> None:
    running = Attempt(windows=span(-9, 3), tries=2, part=True, failed=NOON, run_key="k", requested=NOON)
    failed = Attempt(windows=span(-6, 1), tries=3, failed=NOON)
    memory = Memory(configuration="old", attempts=(running, failed), settled=(span(-20, 1),))

    assert memory.under("old") == memory
    assert memory.under("new") == Memory(
        configuration="new", attempts=(Attempt(windows=span(-9, 3), run_key="k", requested=NOON),)
    )


def test_a_gap_of_half_a_year_that_was_given_up_is_a_few_characters() -> None:
    memory = Memory(configuration="12345678", settled=(Window(NOON - timedelta(days=180), NOON),))

    assert len(memory.dump()) < 120
