"""From bytes to records: for any JSON, each record's text is the slice of the body that it came from."""

import json
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.provider.bodies import BodyError, parse_body

NAMES = st.sampled_from(["data", "items", "meta", "a_1"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=3)
)
SPACE = st.text(" \t\r\n", max_size=2)


@st.composite
def embedded(draw: st.DrawFn) -> tuple[str, list[str], str]:
    """Return a body, the texts of its records, and the path to them."""
    texts = draw(st.lists(st.builds(json.dumps, VALUES, ensure_ascii=st.booleans()), max_size=4))
    space = draw(SPACE)
    body = f"[{draw(SPACE)}" + f"{space},{draw(SPACE)}".join(texts) + f"{draw(SPACE)}]"
    path = draw(st.lists(NAMES, max_size=3))
    for name in reversed(path):
        members = [(json.dumps(name), body)]
        others = draw(st.dictionaries(st.text(max_size=4) | NAMES, VALUES, max_size=3))
        members += [(json.dumps(other), json.dumps(value)) for other, value in others.items() if other != name]
        order = draw(st.permutations(members))
        body = "{" + draw(SPACE) + ",".join(f"{key}{space}:{draw(SPACE)}{value}" for key, value in order) + space + "}"
    return draw(SPACE) + body + draw(SPACE), texts, ".".join(path) or "@"


@given(embedded())
@settings(max_examples=50)
def test_each_text_is_the_records_own_slice(example: tuple[str, list[str], str]) -> None:
    body, texts, path = example
    parsed = (
        parse_body(body.encode("utf-8", "surrogatepass"), encoding="utf-8", path=path)
        if body.isascii()
        else (parse_body(body.encode(), encoding="utf-8", path=path))
    )
    assert parsed.texts == texts
    assert parsed.records == [json.loads(text) for text in texts]
    assert parsed.document == json.loads(body)


@given(VALUES, st.lists(NAMES, min_size=1, max_size=3))
def test_a_plain_path_finds_what_jmespath_finds(document: Any, steps: list[str]) -> None:
    path = ".".join(steps)
    expected = jmespath.search(path, document)
    body = json.dumps(document).encode()
    if isinstance(expected, list):
        assert parse_body(body, encoding="utf-8", path=path).records == expected
    else:
        with pytest.raises(BodyError, match="there is no list"):
            parse_body(body, encoding="utf-8", path=path)


@given(st.binary(max_size=40) | st.text('{}[]":,\\ut09.eE+-\n', max_size=40).map(str.encode))
def test_any_bytes_are_a_body_or_a_body_error(body: bytes) -> None:
    for path in ("@", "a.b", "a[*]"):
        try:
            parsed = parse_body(body, encoding="utf-8", path=path)
        except BodyError:
            continue
        assert len(parsed.records) == len(parsed.texts)


@pytest.mark.parametrize(
    ("body", "path", "texts"),
    [
        ('{"a": [{"id": 1}, {"id": 2}]}', "a[?id > `1`]", ['{"id": 2}']),
        ('{"a": {"x": {"n": "é"}, "y": {"n": 2}}}', "values(a)", ['{"n": "\\u00e9"}', '{"n": 2}']),
        ('{"a": null}', "a || `[]`", []),
        ("[[1], [2]]", "[]", ["1", "2"]),
    ],
)
def test_records_of_any_other_expression_are_encoded_anew(body: str, path: str, texts: list[str]) -> None:
    assert parse_body(body.encode(), encoding="utf-8", path=path).texts == texts


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        ('{"a": [1]', "a", "not JSON at character 9"),
        ('{"a": [1 2]}', "a", "not JSON at character 9"),
        ('{"a": [1,]}', "a", "not usable as JSON"),
        ('{"a" [1]}', "a", "not JSON at character 5"),
        ("{a: [1]}", "a", "not JSON at character 1"),
        ("[1] 2", "@", "goes on after its JSON"),
        ("[1] 2", "[]", "goes on after its JSON"),
        ("{}", "@", "there is no list at '@' (list.records) but dict"),
        ('{"a": 1}', "keys(a)", "'keys(a)' cannot be evaluated"),
        ('{"a": [1], "a": {}}', "a", "there is no list at 'a' (list.records) but dict"),
        ('{"a": {"b": [1]}, "a": {}}', "a.b", "there is no list at 'a.b' (list.records) but nothing or null"),
    ],
)
def test_what_is_no_list_of_records_is_told_without_quoting_it(body: str, path: str, reason: str) -> None:
    with pytest.raises(BodyError) as raised:
        parse_body(body.encode(), encoding="utf-8", path=path)
    assert reason in str(raised.value)


def test_of_equal_names_the_last_counts() -> None:
    assert parse_body(b'{"a": [1], "a": [2]}', encoding="utf-8", path="a").texts == ["2"]
