from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from customer_pipeline.customers.deletions import Deletions
from customer_pipeline.customers.mapping import Mapping

UPDATED = datetime(2026, 11, 23, 8, tzinfo=UTC)
DELETED = datetime(2026, 11, 22, 9, tzinfo=UTC)
DELETED_TEXT = "2026-11-22T09:00:00Z"


def deleted(record: dict[str, Any], *, at: str | None, mark: dict[str, Any] | None) -> tuple[datetime | None, bool]:
    fields = {"id": "id", "updated_at": "updated_at", "deleted_at": at}
    deletions = Deletions(Mapping.model_validate({"fields": fields, "deleted": mark}))
    neighbour = {"status": "active"}
    instants, unusable = deletions(
        [neighbour, record], updated_at=pd.Series([UPDATED, UPDATED], dtype="datetime64[us, UTC]")
    )
    assert pd.isna(instants[0])
    assert not unusable[0]
    return (None if pd.isna(instants[1]) else instants[1].to_pydatetime()), bool(unusable[1])


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        (True, UPDATED),
        (1, UPDATED),
        ("yes", UPDATED),
        (-0.5, UPDATED),
        ({"by": "gdpr"}, UPDATED),
        (None, None),
        (False, None),
        (0, None),
        (0.0, None),
        ("", None),
        ([], None),
        ({}, None),
    ],
)
def test_without_values_a_mark_deletes_unless_it_is_empty(mark: Any, expected: datetime | None) -> None:
    assert deleted({"gone": mark}, at=None, mark={"path": "gone"}) == (expected, False)


@pytest.mark.parametrize(
    ("values", "mark", "expected"),
    [
        (["deleted", "merged"], "merged", UPDATED),
        (["deleted"], "Deleted", None),
        (["deleted"], "active", None),
        (["deleted"], None, None),
        (["deleted"], ["deleted"], None),
        ([1], 1, UPDATED),
        ([1], 1.0, UPDATED),
        ([1], True, None),
        ([1], "1", None),
        ([True], True, UPDATED),
        ([True], 1, None),
        ([False], False, UPDATED),
        ([0], False, None),
    ],
)
def test_with_values_only_an_equal_mark_deletes(values: list[Any], mark: Any, expected: datetime | None) -> None:
    assert deleted({"gone": mark}, at=None, mark={"path": "gone", "values": values}) == (expected, False)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"gone": True, "at": DELETED_TEXT}, (DELETED, False)),
        ({"gone": True, "at": None}, (UPDATED, False)),
        ({"gone": True, "at": "yesterday"}, (UPDATED, True)),
        ({"gone": False, "at": DELETED_TEXT}, (None, False)),
        ({"gone": False, "at": "yesterday"}, (None, True)),
        ({"at": DELETED_TEXT}, (None, False)),
    ],
)
def test_the_mark_decides_and_the_time_is_taken_where_there_is_one(record: dict[str, Any], expected: Any) -> None:
    assert deleted(record, at="at", mark={"path": "gone"}) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (DELETED_TEXT, (DELETED, False)),
        ("yesterday", (UPDATED, True)),
        (None, (None, False)),
        ("", (None, False)),
        (False, (None, True)),
    ],
)
def test_without_a_mark_the_time_is_the_mark(at: Any, expected: Any) -> None:
    assert deleted({"at": at}, at="at", mark=None) == expected


def test_without_a_mark_and_a_time_nothing_is_deleted() -> None:
    assert deleted({"gone": True}, at=None, mark=None) == (None, False)


def test_a_mark_that_cannot_be_read_deletes_nobody() -> None:
    assert deleted({"gone": 5}, at=None, mark={"path": "gone && length(gone)"}) == (None, True)
