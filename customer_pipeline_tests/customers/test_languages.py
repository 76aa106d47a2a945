import pytest

from customer_pipeline.customers.languages import language, languages
from customer_pipeline.customers.texts import texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de_ch", "de-CH"),
        ("de-CH", "de-CH"),
        ("deu", "de"),
        ("ger-AT", "de-AT"),
        ("gsw", "gsw"),
        ("zh-hant", "zh-Hant"),
        ("ZH_HANT_tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("sr-Latn-XK", "sr-Latn-XK"),
        ("iw", "he"),
        ("de-CH-1996", "de-CH-1996"),
        ("sl-rozaj", "sl-rozaj"),
        ("en-US-u-ca-gregory-x-shop", "en-US-u-ca-gregory-x-shop"),
        ("und", "und"),
        ("German", None),
        ("xx", None),
        ("de-ZZ", None),
        ("de-Abcd", None),
        ("en-UK", None),
        ("de,en", None),
        ("de-", None),
        ("x-private", None),
        ("zh-yue", None),
        ("1", None),
    ],
)
def test_a_language_is_recognized_or_refused(text: str, expected: str | None) -> None:
    assert language(text) == expected


def test_only_a_refused_language_is_unusable() -> None:
    column = languages(texts(["de", None, "Klingon", ["de"]]))
    assert column.array.to_pylist() == ["de", None, None, None]
    assert column.unusable.tolist() == [False, False, True, True]
