import itertools
import tracemalloc
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.customers import newest as module
from customer_pipeline.customers.newest import newest
from customer_pipeline.customers.schemas import INSTANT

START = datetime(2026, 11, 23, tzinfo=UTC)
IDS = st.none() | st.sampled_from(["a", "b", "", "aa", "ü"])
INSTANTS = st.none() | st.integers(0, 2).map(lambda minutes: START + timedelta(minutes=minutes))
FETCHED = st.integers(0, 2).map(lambda minutes: START + timedelta(minutes=minutes))
ROWS = st.lists(st.tuples(IDS, INSTANTS, FETCHED), max_size=30)
Row = tuple[str | None, datetime | None, datetime]


def expected(rows: list[Row]) -> list[bool]:
    best: dict[str, int] = {}
    for position, (id_, updated_at, fetched_at) in enumerate(rows):
        if id_ is not None and updated_at is not None:
            held = rows[best[id_]] if id_ in best else None
            if held is None or (held[1] or START, held[2]) <= (updated_at, fetched_at):
                best[id_] = position
    return [
        id_ is None or updated_at is None or best[id_] == position for position, (id_, updated_at, _) in enumerate(rows)
    ]


@pytest.fixture(params=[1, 3, 65_536])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", request.param)


@pytest.mark.usefixtures("block")
class TestNewest:
    @given(ROWS)
    def test_lists_and_series(self, rows: list[Row]) -> None:
        instants = [pd.Series([row[n] for row in rows], dtype="datetime64[us, UTC]") for n in (1, 2)]
        assert newest([row[0] for row in rows], *instants).tolist() == expected(rows)

    @given(ROWS, st.integers(0, 30), st.integers(0, 30))
    def test_chunked_columns(self, rows: list[Row], cut: int, second_cut: int) -> None:
        ids = pa.array([row[0] for row in rows], pa.string())
        updated, fetched = (pa.array([row[n] for row in rows], INSTANT) for n in (1, 2))
        cuts = sorted({0, min(cut, len(rows)), min(second_cut, len(rows)), len(rows)})
        chunks = [ids.slice(a, b - a) for a, b in itertools.pairwise(cuts)]
        chunked = pa.chunked_array(chunks, pa.string())
        assert newest(chunked, pa.chunked_array([updated]), fetched).tolist() == expected(rows)
        assert newest(ids, updated, fetched).tolist() == expected(rows)


def test_ids_whose_hashes_are_all_equal_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pd.util, "hash_array", lambda texts, **_: np.zeros(len(texts), dtype=np.uint64))
    instants = pd.Series([START] * 4)
    assert newest(["a", "b", "a", "c"], instants, instants).tolist() == [False, True, True, True]


def test_a_million_rows_would_need_less_than_100_mb_over_their_input() -> None:
    rows = 200_000
    ids = pa.chunked_array([pa.array([f"customer-{number:027d}" for number in range(rows)])])
    instants = pa.array(np.arange(rows), pa.int64()).cast(INSTANT)
    pool = pa.default_memory_pool()
    proxy = pa.proxy_memory_pool(pool)
    pa.set_memory_pool(proxy)
    tracemalloc.start()
    try:
        assert newest(ids, instants, instants).all()
        peak = proxy.max_memory() + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(pool)
    # what does not grow with the rows is one block
    assert peak / rows < 100
