from typing import Any

import pytest

from customer_pipeline.customers.columns import UNUSABLE
from customer_pipeline.customers.tags import tags


@pytest.mark.parametrize(
    ("value", "expected", "unusable"),
    [
        (None, [], False),
        ("", [], False),
        ([], [], False),
        ("vip, new ,,vip", ["vip", "new"], False),
        (["new", " vip ", "new", None, ""], ["new", "vip"], False),
        (["a, b", "Vip", "vip"], ["a, b", "Vip", "vip"], False),
        (5, ["5"], False),
        (["a", 1, 2.0], ["a", "1", "2"], False),
        (["a", True, {"name": "b"}, ["c"], "d"], ["a", "d"], True),
        (["An\ud800na"], ["Anna"], False),
        (True, [], True),
        ({"a": 1}, [], True),
        (UNUSABLE, [], True),
    ],
)
def test_tags_are_read(value: Any, expected: list[str], unusable: bool) -> None:  # noqa: FBT001 -- a table's column
    column = tags([["before"], value, None, "after"])
    assert column.array.to_pylist() == [["before"], expected, [], ["after"]]
    assert column.unusable.tolist() == [False, unusable, False, False]


def test_an_empty_batch_has_an_empty_column() -> None:
    assert tags([]).array.to_pylist() == []
