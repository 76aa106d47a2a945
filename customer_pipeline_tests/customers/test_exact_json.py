import json
import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.customers import exact_json
from customer_pipeline.customers.columns import UNUSABLE
from customer_pipeline_tests.customers.strategies import JSON


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**400])
def test_integers_of_any_size_survive(number: int) -> None:
    assert exact_json.loads(f'{{"a": {number}}}') == {"a": number}
    assert exact_json.dumps(exact_json.loads(str(number))) == str(number)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "-1e999", "1" * 5000])
def test_a_number_without_a_value_loses_itself_alone(text: str) -> None:
    assert exact_json.loads(f'{{"a": {text}, "b": 1}}') == {"a": UNUSABLE, "b": 1}


@pytest.mark.parametrize("text", ["", "{", "nul", "{'a': 1}", "1 2", "\ufeff{}", "[" * 100_000])
def test_what_is_no_json_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"^no JSON at character \d+$|^the JSON is nested too deeply$"):
        exact_json.loads(text)
    assert exact_json.loads_each(pa.array(["1", text, "2"])) == [1, UNUSABLE, 2]


def test_what_only_the_standard_parser_takes_is_read() -> None:
    texts = ['"\\ud800"', '"\\ud83d\\ude00"', '{"a": 1, "a": 2}', '"raw\ttab"', '"12345678901234567890"', "1.5"]
    expected = ["\ud800", "\U0001f600", {"a": 2}, "raw\ttab", "12345678901234567890", 1.5]
    assert exact_json.loads_each(pa.array(texts)) == expected == [exact_json.loads(text) for text in texts]


def test_deep_values_are_written() -> None:
    text = "[" * 300 + "]" * 300
    assert exact_json.dumps(exact_json.loads(text)) == text


@pytest.mark.parametrize("value", ["\ud800", {"\ud800": 1}, [UNUSABLE], UNUSABLE, [2**64, math.nan]])
def test_what_json_cannot_hold_is_refused_without_quoting_it(value: object) -> None:
    with pytest.raises(ValueError, match=r"^JSON cannot hold the value \(\w+\)$"):
        exact_json.dumps(value)


def test_nesting_beyond_the_limit_is_refused() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="RecursionError"):
        exact_json.dumps(value)


@given(JSON)
def test_equal_values_have_equal_texts_and_survive(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert exact_json.loads(text) == value
    written = exact_json.dumps(exact_json.loads(text))
    assert json.loads(written) == value
    assert exact_json.dumps(json.loads(json.dumps(value, sort_keys=True))) == written


@given(st.text())
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    try:
        exact_json.loads(text)
    except ValueError:
        assert exact_json.loads_each(pa.array([text])) == [UNUSABLE]
