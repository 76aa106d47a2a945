from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.customers.identity import Identifier, usable_id
from customer_pipeline.customers.mapping import Mapping
from customer_pipeline_tests.customers.strategies import JSON

MAPPING = Mapping.model_validate({"fields": {"id": "id", "updated_at": "meta.updated"}})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("c-1", "c-1"),
        (" c 1 ", " c 1 "),
        ("e\u0301", "e\u0301"),
        ("a}", "a}"),
        ("{a}", "{a}"),
        ("x" * 512, "x" * 512),
        (0, "0"),
        (-7, "-7"),
        (2**70, str(2**70)),
        (10**511, "1" + "0" * 511),
        (None, None),
        ("", None),
        (" \u00a0", None),
        ("}a", None),
        ("x" * 513, None),
        ("a\n", None),
        ("a\u0000b", None),
        ("a\u0085b", None),
        ("a\ud800", None),
        (10**512, None),
        (1.0, None),
        (float("nan"), None),
        (True, None),
        ([1], None),
        ({"a": 1}, None),
    ],
)
def test_an_id_is_taken_as_it_is_or_not_at_all(value: Any, expected: str | None) -> None:
    assert usable_id(value) == expected


def test_a_number_too_long_for_python_to_write_is_no_id() -> None:
    assert usable_id(10**5000) is None


def test_records_are_identified() -> None:
    ids, updated_at = Identifier(MAPPING)(
        [
            {"id": 1, "meta": {"updated": "2026-11-23T07:50:00+01:00"}},
            {"id": "x", "meta": {"updated": "soon"}},
            {"meta": {}},
            {},
            None,
            ["id"],
            "id",
            5,
        ]
    )
    assert ids == ["1", "x", None, None, None, None, None, None]
    assert updated_at.dtype == pd.DatetimeTZDtype("us", "UTC")
    assert updated_at[0] == datetime(2026, 11, 23, 6, 50, tzinfo=UTC)
    assert updated_at[1:].isna().all()


def test_what_is_no_object_has_no_id_even_if_the_paths_find_one() -> None:
    mapping = Mapping.model_validate({"fields": {"id": "[0] || 'x'", "updated_at": "[1] || '2026-01-01'"}})
    ids, updated_at = Identifier(mapping)([["a", "2026-01-01"], None, {}])
    assert ids == [None, None, "x"]
    assert updated_at.isna().tolist() == [True, True, False]


def test_nothing_is_identified_as_nothing() -> None:
    ids, updated_at = Identifier(MAPPING)([])
    assert ids == []
    assert len(updated_at) == 0


@given(st.lists(JSON | st.fixed_dictionaries({"id": JSON, "meta": st.fixed_dictionaries({"updated": JSON})})))
def test_whatever_the_records_are_each_has_an_answer(records: list[Any]) -> None:
    ids, updated_at = Identifier(MAPPING)(records)
    assert len(ids) == len(updated_at) == len(records)
