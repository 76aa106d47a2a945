import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.customers.columns import UNUSABLE
from customer_pipeline.customers.texts import texts

# Newer characters than this Python knows are left out: it cannot say what their NFC is.
ANY_TEXT = st.text(st.characters(exclude_categories=["Cn"]))


def cleaned(*values: Any) -> list[str | None]:
    return texts(values).array.to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        (" \t\r\n\u00a0\u3000", None),
        ("  Anna  ", "Anna"),
        ("Anna\u00a0\u2003 Maria", "Anna Maria"),
        ("line one\r\nline two", "line one line two"),
        ("a\u0085b\u2028c\u2029d", "a b c d"),
        ("Jose\u0301", "Jos\u00e9"),
        ("An\u0000na\u009b", "Anna"),
        ("\ufeffAnna\u200b", "Anna"),
        ("soft\u00adhyphen", "softhyphen"),
        ("\u202e\u2066abc\u2069\u202c\u200e", "abc"),
        ("e\u200b\u0301", "\u00e9"),
        ("An\ud800na", "Anna"),
        ("\ud83d", None),
        ("a\ufffe\uffff\ufdd0\U0010ffffb", "ab"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\u200d\u200c \u200d", None),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("\ufffd", "\ufffd"),
        (8004, "8004"),
        (-5, "-5"),
        (2**80, str(2**80)),
        (8004.0, "8004"),
        (12.5, "12.5"),
        (1e300, "1e+300"),
    ],
)
def test_text_is_cleaned(value: Any, expected: str | None) -> None:
    column = texts([value])
    assert column.array.to_pylist() == [expected]
    assert column.unusable.tolist() == [False]


@pytest.mark.parametrize("value", [True, False, [], ["a"], {}, {"a": 1}, float("nan"), float("-inf"), UNUSABLE])
def test_what_is_no_text_is_null_and_unusable(value: Any) -> None:
    column = texts(["before", value, None])
    assert column.array.to_pylist() == ["before", None, None]
    assert column.unusable.tolist() == [False, True, False]


def test_an_empty_batch_has_an_empty_column() -> None:
    column = texts([])
    assert len(column.array) == len(column.unusable) == 0


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    (once,) = cleaned(text)
    assert cleaned(once) == [once]


@given(ANY_TEXT)
def test_clean_text_is_nfc_without_controls_or_needless_space(text: str) -> None:
    (clean,) = cleaned(text)
    if clean is not None:
        assert unicodedata.is_normalized("NFC", clean)
        assert not {unicodedata.category(character) for character in clean} & {"Cc", "Cs", "Zl", "Zp"}
        assert "  " not in clean
        assert clean.strip() == clean != ""
        assert all(character == " " or not character.isspace() for character in clean)


@given(st.lists(ANY_TEXT))
def test_a_text_is_cleaned_the_same_whatever_stands_beside_it(column: list[str]) -> None:
    assert cleaned(*column) == [cleaned(text)[0] for text in column]
