from typing import Any

import jmespath
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from customer_pipeline.customers.columns import UNUSABLE
from customer_pipeline.customers.paths import Path, check_expression
from customer_pipeline_tests.customers.strategies import JSON, SCALAR

NAMES = st.sampled_from(["a", "b", "c", '"a"', '"b-c"', '"ü"', "@"])
STEPS = st.tuples(NAMES, st.sampled_from(["", "", "[0]", "[1]", "[-1]", "[-3]", "[0][1]", "[]", "[*]", "[0:1]", ".*"]))
PATHS = st.lists(STEPS, min_size=1, max_size=4).map(lambda steps: ".".join(name + rest for name, rest in steps))
KEYS = st.sampled_from(["a", "b", "c", "b-c", "ü"])
NESTED = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)


@given(PATHS, st.lists(NESTED | JSON, max_size=4))
@example("a[0]", [{"a": "text"}, {"a": {"0": 1}}, {"a": []}, {"a": None}, {"a": [False]}, ["a"], "a", None])
@example("a[-2].b", [{"a": [1]}, {"a": [{"b": 0}, 2]}, {"a": [[], []]}])
@example("a.b.c", [{"a": {"b": []}}, {"a": {"b": {"c": ""}}}, {"a": "b"}, {"a": [{"b": 1}]}])
def test_every_path_gives_what_jmespath_gives(expression: str, records: list[Any]) -> None:
    try:
        compiled = jmespath.compile(expression)
    except JMESPathError:
        return
    found = Path(expression)(records)
    expected = [compiled.search(record) for record in records]
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


@pytest.mark.parametrize("expression", ["a", "a.b.c", '"a-b".c', "a[0].b", "a.b[-1]", "@", "@.a", "[0]", "a[0][1]"])
def test_plain_paths_are_looked_up_without_jmespath(expression: str) -> None:
    assert Path(expression)._steps is not None


@pytest.mark.parametrize(
    ("expression", "record"),
    [
        ("length(a)", {"a": 5}),
        ("sum(a)", {"a": ["x"]}),
        ("a < b", {"a": 1, "b": "x"}),
        ("sort_by(a, &b)", {"a": [{"b": 1}, {"b": "x"}]}),
        ("sum(a)", {"a": [1e308, 1e308]}),
        ("ceil(a)", {"a": float("inf")}),
        ("to_string(a)", {"a": UNUSABLE}),
    ],
)
def test_an_expression_that_fails_on_one_record_leaves_the_others_alone(expression: str, record: Any) -> None:
    ok = {"a": [], "b": 1}
    path = Path(expression)
    expected = path([ok])
    assert path([ok, record, ok]) == [*expected, UNUSABLE, *expected]


@pytest.mark.parametrize("expression", ["a.b", "length(a)", "join(', ', [a, b])", "not_null(a, b, c)", "a[?b == `1`]"])
def test_a_sound_expression_is_accepted(expression: str) -> None:
    assert check_expression(expression) == expression


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("a..b", "is no JMESPath expression"),
        ("last-name", "quote names with dashes"),
        ("lowercase(a)", "has no function 'lowercase'; it has abs,"),
        ("a.b[?lowercase(c) == 'x']", "has no function 'lowercase'"),
        ("length(a, b)", r"length\(\) takes 1 argument\(s\), not 2"),
        ("not_null()", "takes 1 argument"),
    ],
)
def test_an_unsound_expression_is_refused_with_the_reason(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_expression(expression)
