import json
from typing import Any

import pytest

from customer_pipeline.customers.attributes import Attributes
from customer_pipeline.customers.mapping import Attribute, DatetimeParsing

DATETIMES = DatetimeParsing(formats=("iso8601", "epoch_s"), timezone="Europe/Zurich")


def attributes(**types: Any) -> Attributes:
    mapped = {name: Attribute(path=json.dumps(name), type=type_) for name, type_ in types.items()}
    return Attributes(mapped, datetimes=DATETIMES)


@pytest.mark.parametrize(
    ("type_", "value", "expected", "unusable"),
    [
        ("any", {"b": [1, 2.5, None], "a": "é\n"}, '{"a":"é\\n","b":[1,2.5,null]}', False),
        ("any", 2**70, str(2**70), False),
        ("any", False, "false", False),
        ("any", None, "null", False),
        ("any", "\ud800", "null", True),
        ("any", ["\ud800"], "null", True),
        ("text", ' say "hi" \\ ', '"say \\"hi\\" \\\\"', False),
        ("text", 5, '"5"', False),
        ("text", "", "null", False),
        ("text", [], "null", True),
        ("datetime", "2026-07-01 12:00", '"2026-07-01T10:00:00.000000Z"', False),
        ("datetime", 0, '"1970-01-01T00:00:00.000000Z"', False),
        ("datetime", " ", "null", False),
        ("datetime", "soon", "null", True),
        ("datetime", True, "null", True),
        ("date", "1980-02-29", '"1980-02-29"', False),
        ("date", "1981-02-29", "null", True),
        ("date", None, "null", False),
    ],
)
def test_a_value_is_written_as_its_type_says(type_: str, value: Any, expected: str, unusable: bool) -> None:  # noqa: FBT001 -- a table's column
    texts, masks = attributes(value=type_)([{"value": None}, {"value": value}, {}])
    assert texts.to_pylist() == ['{"value":null}', f'{{"value":{expected}}}', '{"value":null}']
    assert masks["value"].tolist() == [False, unusable, False]


def test_names_are_sorted_and_every_one_is_there() -> None:
    texts, masks = attributes(**{"b": "any", 'a"': "text", "c": "date"})([{"b": 1}])
    assert texts.to_pylist() == ['{"a\\"":null,"b":1,"c":null}']
    assert list(masks) == ['a"', "b", "c"]
    assert json.loads(texts[0].as_py()) == {'a"': None, "b": 1, "c": None}


def test_without_a_mapped_attribute_there_is_an_empty_object() -> None:
    texts, masks = attributes()([{}, {}])
    assert texts.to_pylist() == ["{}", "{}"]
    assert masks == {}
