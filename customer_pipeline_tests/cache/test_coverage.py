import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.coverage import Coverage, Freshness
from customer_pipeline.cache.errors import CacheError, CacheUnavailable
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous
from customer_pipeline_tests.cache.states import KEYS
from customer_pipeline_tests.servers import ValkeyServer

FIRST = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)


def window(first: int, last: int | None = None) -> Window:
    """The windows `first` to `last`, counted from 07:50."""
    return Window(FIRST + first * WINDOW_LENGTH, FIRST + ((first if last is None else last) + 1) * WINDOW_LENGTH)


def stored(connection: Connection, key: str) -> Any:
    value = connection.get(key)
    assert isinstance(value, bytes)
    return json.loads(value)


@pytest.fixture
def coverage(either: Connection) -> Coverage:
    return Coverage(either, keys=KEYS)


def test_before_anything_is_published_nothing_is_covered(coverage: Coverage) -> None:
    assert coverage.read() == []
    assert coverage.freshness() is None
    assert coverage.gaps(NOW) == []


def test_the_keys_hold_what_the_contract_says(either: Connection, coverage: Coverage) -> None:
    with time_machine.travel(NOW, tick=False):
        coverage.extend([window(3), window(0), window(1)])
    assert stored(either, "customers:coverage") == {
        "intervals": [
            {"start": "2026-11-23T07:50:00.000000Z", "end": "2026-11-23T08:10:00.000000Z"},
            {"start": "2026-11-23T08:20:00.000000Z", "end": "2026-11-23T08:30:00.000000Z"},
        ]
    }
    assert stored(either, "customers:freshness") == {
        "as_of": "2026-11-23T08:10:00.000000Z",
        "latest": "2026-11-23T08:30:00.000000Z",
        "gaps": [{"start": "2026-11-23T08:10:00.000000Z", "end": "2026-11-23T08:20:00.000000Z"}],
        "stale_since": "2026-11-23T08:20:00.000000Z",
        "published_at": "2026-11-23T12:00:00.000005Z",
    }
    assert either.ttl("customers:coverage") == -1


def test_what_was_written_is_returned_and_read_back(coverage: Coverage) -> None:
    with time_machine.travel(NOW, tick=False):
        freshness = coverage.extend([window(0), window(2)])
    assert freshness == Freshness(window(0).end, window(2).end, (window(1),), NOW)
    assert coverage.freshness() == freshness
    assert coverage.read() == [window(0), window(2)]


def test_a_gap_that_is_published_joins_its_neighbours(coverage: Coverage) -> None:
    coverage.extend([window(0), window(2)])
    freshness = coverage.extend([window(1)])
    assert (freshness.as_of, freshness.latest, freshness.gaps) == (window(2).end, window(2).end, ())
    assert coverage.read() == [window(0, 2)]


def test_publishing_again_changes_nothing_but_when(either: Connection, coverage: Coverage) -> None:
    coverage.extend([window(0, 4)])
    before = either.get(KEYS.coverage)
    with time_machine.travel(NOW, tick=False):
        assert coverage.extend([window(2)]).published_at == NOW
    assert either.get(KEYS.coverage) == before


def test_gaps_reach_from_the_first_interval_to_the_given_instant(coverage: Coverage) -> None:
    coverage.extend([window(0), window(2)])
    assert coverage.gaps(window(4).end) == [window(1), window(3, 4)]
    assert coverage.gaps(window(2).end) == [window(1)]
    assert coverage.gaps(window(0).end) == []
    assert coverage.gaps(FIRST) == []


def test_with_a_known_start_what_lacks_before_the_first_interval_is_a_gap(either: Connection) -> None:
    coverage = Coverage(either, keys=KEYS, start=FIRST)
    assert coverage.gaps(window(1).end) == [window(0, 1)]
    freshness = coverage.extend([window(2)])
    assert freshness.gaps == (window(0, 1),)
    assert coverage.gaps(window(3).end) == [window(0, 1), window(3)]
    assert coverage.gaps(FIRST - timedelta(days=1)) == []
    assert coverage.extend([window(0, 1)]).gaps == ()


def test_what_was_published_before_the_start_is_no_gap(either: Connection) -> None:
    coverage = Coverage(either, keys=KEYS, start=window(3).start)
    coverage.extend([window(0, 4)])
    assert coverage.gaps(window(5).end) == [window(5)]


def test_nothing_to_cover_is_refused_only_while_nothing_is_covered(coverage: Coverage) -> None:
    with pytest.raises(ValueError, match="no range to cover"):
        coverage.extend([])
    coverage.extend([window(0)])
    assert coverage.extend([]).latest == window(0).end


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"intervals":1}',
        b'{"intervals":[1]}',
        b'{"intervals":[{"start":"2026-11-23"}]}',
        b'{"intervals":[{"start":"2026-11-23T07:50:00.000000Z","end":"2026-11-23T07:50:00.000000Z"}]}',
        b'{"intervals":[{"start":"2026-11-23T07:50:00Z","end":"2026-11-23T08:00:00Z"}]}',
        b"\xff",
    ],
)
def test_a_coverage_that_cannot_be_read_is_an_error_and_stays(either: Connection, content: bytes) -> None:
    coverage = Coverage(either, keys=KEYS)
    either.set(KEYS.coverage, content)
    for ask in (coverage.read, lambda: coverage.gaps(NOW), lambda: coverage.extend([window(0)])):
        with pytest.raises(CacheError, match="customers:coverage holds something") as caught:
            ask()
        assert not caught.value.transient
    assert either.get(KEYS.coverage) == content
    assert either.get(KEYS.freshness) is None


@pytest.mark.parametrize("content", [b"not json", b"{}", b'{"as_of":null,"latest":null,"gaps":[],"published_at":null}'])
def test_a_freshness_that_cannot_be_read_is_an_error_until_it_is_written_again(
    either: Connection, content: bytes
) -> None:
    coverage = Coverage(either, keys=KEYS)
    either.set(KEYS.freshness, content)
    with pytest.raises(CacheError, match="customers:freshness holds something"):
        coverage.freshness()
    coverage.extend([window(0)])
    assert coverage.freshness() is not None


def test_a_key_of_another_type_is_an_error(either: Connection, coverage: Coverage) -> None:
    either.rpush(KEYS.coverage, "x")
    with pytest.raises(CacheError, match="holds a value of another type"):
        coverage.extend([window(0)])


def test_a_script_that_the_server_forgot_is_sent_again(either: Connection, coverage: Coverage) -> None:
    coverage.extend([window(0)])
    either.script_flush()
    assert coverage.extend([window(1)]).latest == window(1).end


def test_extensions_at_once_are_all_kept(either: Connection, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("valkey_cluster" if "cluster" in request.node.name else "valkey").url

    def extend(first: int) -> None:
        with connect(url) as client:
            for number in range(first, 40, 4):
                Coverage(client, keys=KEYS).extend([window(number)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(extend, range(4)))
    coverage = Coverage(either, keys=KEYS)
    assert coverage.read() == [window(0, 39)]
    freshness = coverage.freshness()
    assert freshness is not None
    assert (freshness.as_of, freshness.gaps) == (window(39).end, ())


def test_a_slower_process_leaves_no_older_freshness_behind(valkey: ValkeyServer, connection: Connection) -> None:
    """The slower one stands between reading the coverage and writing the freshness while the faster one does both."""
    slow_is_between, fast_is_done = threading.Event(), threading.Event()

    class Slow(Coverage):
        def _gaps(self, intervals: list[Window], until: datetime) -> list[Window]:
            if not slow_is_between.is_set():
                slow_is_between.set()
                assert fast_is_done.wait(timeout=10)
            return super()._gaps(intervals, until)

    with connect(valkey.url) as other, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(Slow(other, keys=KEYS).extend, [window(0)])
        assert slow_is_between.wait(timeout=10)
        Coverage(connection, keys=KEYS).extend([window(1, 5)])
        fast_is_done.set()
        assert slow.result(timeout=10).latest == window(5).end
    assert stored(connection, KEYS.freshness)["as_of"] == "2026-11-23T08:50:00.000000Z"


@pytest.mark.parametrize("after_reading", ["extend", "refresh"])
def test_a_coverage_that_never_stands_still_is_an_error(connection: Connection, after_reading: str) -> None:
    class Contended(Coverage):
        number = 10

        def _disturb(self) -> None:
            Contended.number += 2
            Coverage(connection, keys=KEYS).extend([window(Contended.number)])

        def _replace(self, key: str, old: bytes, new: bytes) -> bool:
            if after_reading == "extend":
                self._disturb()
            return super()._replace(key, old, new)

        def _gaps(self, intervals: list[Window], until: datetime) -> list[Window]:
            if after_reading == "refresh":
                self._disturb()
            return super()._gaps(intervals, until)

    with pytest.raises(CacheUnavailable, match="changed without end"):
        Contended(connection, keys=KEYS).extend([window(0)])


def test_before_anything_is_published_a_refresh_writes_nothing(either: Connection, coverage: Coverage) -> None:
    assert coverage.refresh(NOW) is None
    assert not either.exists(KEYS.coverage)
    assert not either.exists(KEYS.freshness)


def test_a_refresh_tells_readers_of_an_outage_and_that_nothing_was_published_since(
    either: Connection, coverage: Coverage
) -> None:
    with time_machine.travel(NOW, tick=False):
        coverage.extend([window(0, 1)])
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        freshness = coverage.refresh(window(3).end + timedelta(seconds=59))
    assert freshness == Freshness(window(1).end, window(1).end, (window(2, 3),), NOW)
    assert freshness.stale_since == window(2).end
    assert coverage.freshness() == freshness
    assert stored(either, "customers:freshness") == {
        "as_of": "2026-11-23T08:10:00.000000Z",
        "latest": "2026-11-23T08:10:00.000000Z",
        "gaps": [{"start": "2026-11-23T08:10:00.000000Z", "end": "2026-11-23T08:30:00.000000Z"}],
        "stale_since": "2026-11-23T08:20:00.000000Z",
        "published_at": "2026-11-23T12:00:00.000005Z",
    }
    assert either.ttl("customers:freshness") == -1


def test_a_refresh_without_an_outage_says_that_nothing_lacks(either: Connection, coverage: Coverage) -> None:
    coverage.extend([window(0, 1)])
    freshness = coverage.refresh(window(1).end + timedelta(minutes=9))
    assert freshness is not None
    assert (freshness.gaps, freshness.stale_since) == ((), None)
    assert stored(either, "customers:freshness")["stale_since"] is None


def test_an_old_window_that_is_published_in_an_outage_does_not_hide_it(coverage: Coverage) -> None:
    coverage.extend([window(0), window(2)])
    coverage.refresh(window(5).end)
    freshness = coverage.extend([window(1)])
    assert (freshness.latest, freshness.gaps) == (window(2).end, (window(3, 5),))
    assert freshness.stale_since == window(3).end
    assert coverage.extend([window(3, 5)]).gaps == ()


def test_a_clock_that_was_ahead_for_a_while_leaves_no_gaps_in_the_future(coverage: Coverage) -> None:
    coverage.extend([window(0)])
    coverage.refresh(window(5000).end)
    freshness = coverage.refresh(window(1).end)
    assert freshness is not None
    assert freshness.gaps == (window(1),)

    coverage.refresh(window(5000).end)
    with time_machine.travel(window(2).end, tick=False):
        assert coverage.extend([window(1)]).gaps == (window(2),)


def test_a_coverage_that_was_lost_makes_everything_a_gap(either: Connection) -> None:
    coverage = Coverage(either, keys=KEYS, start=window(0).start)
    published = coverage.extend([window(0, 3)])
    either.delete(KEYS.coverage)
    freshness = coverage.refresh(window(4).end)
    assert freshness == replace(published, gaps=(window(0, 4),))
    assert coverage.freshness() == freshness


@pytest.mark.parametrize("content", [None, b"not json"])
def test_a_refresh_mends_a_freshness_that_was_lost(either: Connection, coverage: Coverage, content: bytes) -> None:
    coverage.extend([window(0, 1)])
    either.delete(KEYS.freshness)
    if content:
        either.set(KEYS.freshness, content)
    freshness = coverage.refresh(window(2).end)
    assert freshness == Freshness(window(1).end, window(1).end, (window(2),), window(1).end)
    assert coverage.freshness() == freshness


def test_a_refresh_does_not_undo_a_publication_at_the_same_time(valkey: ValkeyServer, connection: Connection) -> None:
    """The refresh stands between reading and writing while the publication does both."""
    refresh_is_between, publication_is_done = threading.Event(), threading.Event()

    class Slow(Coverage):
        def _gaps(self, intervals: list[Window], until: datetime) -> list[Window]:
            if not refresh_is_between.is_set():
                refresh_is_between.set()
                assert publication_is_done.wait(timeout=10)
            return super()._gaps(intervals, until)

    Coverage(connection, keys=KEYS).extend([window(0)])
    with connect(valkey.url) as other, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(Slow(other, keys=KEYS).refresh, window(2).end)
        assert refresh_is_between.wait(timeout=10)
        with time_machine.travel(NOW, tick=False):
            Coverage(connection, keys=KEYS).extend([window(1)])
        publication_is_done.set()
        refreshed = slow.result(timeout=10)
    assert refreshed == Freshness(window(1).end, window(1).end, (window(2),), NOW)
    assert Coverage(connection, keys=KEYS).freshness() == refreshed


def test_a_refresh_that_is_always_overtaken_is_an_error(connection: Connection) -> None:
    class Overtaken(Coverage):
        def _gaps(self, intervals: list[Window], until: datetime) -> list[Window]:
            Coverage(connection, keys=KEYS).extend([window(0)])
            return super()._gaps(intervals, until)

    Coverage(connection, keys=KEYS).extend([window(0)])
    with pytest.raises(CacheUnavailable, match="changed without end"):
        Overtaken(connection, keys=KEYS).refresh(NOW)


RANGES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 4)).map(lambda pair: window(pair[0], sum(pair))),
    min_size=1,
    max_size=4,
)


@settings(max_examples=30)
@given(st.lists(RANGES, min_size=1, max_size=5), st.none() | st.integers(-2, 10))
def test_coverage_is_the_union_whatever_the_order(drawn: list[list[Window]], start: int | None) -> None:
    """Fixtures are not reset between examples, so each example erases the keys."""
    with connect(CURRENT[0].url) as client:
        client.flushall()
        begin = None if start is None else window(start).start
        coverage = Coverage(client, keys=KEYS, start=begin)
        for ranges in drawn:
            freshness = coverage.extend(ranges)
        union = contiguous(each for ranges in drawn for each in ranges)
        assert coverage.read() == union
        assert freshness.as_of == union[0].end
        assert freshness.latest == union[-1].end
        covered = [window(n) for n in range(-2, 40) if any(window(n).start in each for each in union)]
        lacking = [
            window(n)
            for n in range(-2, 40)
            if (begin or union[0].start) <= window(n).start < freshness.latest and window(n) not in covered
        ]
        assert list(freshness.gaps) == contiguous(lacking)


CURRENT: list[ValkeyServer] = []


@pytest.fixture(autouse=True)
def _current(valkey_server: ValkeyServer) -> None:
    CURRENT[:] = [valkey_server]
