from types import SimpleNamespace

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.customers import countries
from customer_pipeline.customers.texts import texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CH", "CH"),
        ("ch", "CH"),
        ("CHE", "CH"),
        ("756", "CH"),
        ("004", "AF"),
        ("4", "AF"),
        ("Switzerland", "CH"),
        ("SWISS CONFEDERATION", "CH"),
        ("cote d\u2019ivoire", "CI"),
        ("Cote d'Ivoire", "CI"),
        ("Turkiye", "TR"),
        ("Turkey", "TR"),
        ("U.S.A.", "US"),
        ("U.S.", "US"),
        ("The United States of America", "US"),
        ("UK", "GB"),
        ("Great Britain", "GB"),
        ("South Korea", "KR"),
        ("Republic of Korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("North Korea", "KP"),
        ("Russia", "RU"),
        ("Czech Republic", "CZ"),
        ("Czechia", "CZ"),
        ("The Netherlands", "NL"),
        ("St. Lucia", "LC"),
        ("Trinidad & Tobago", "TT"),
        ("Guinea Bissau", "GW"),
        ("Guinea", "GN"),
        ("Bosnia & Herzegovina", "BA"),
        ("Curacao", "CW"),
        ("Åland Islands", "AX"),
        ("Vietnam", "VN"),
        ("Korea", None),
        ("Switzerlnd", None),
        ("Schweiz", None),
        ("XX", None),
        ("XK", None),
        ("999", None),
        ("0756", None),
        ("-", None),
        ("the", None),
    ],
)
def test_a_country_is_recognized_or_refused(text: str, expected: str | None) -> None:
    assert countries.country(text) == expected


def test_every_code_and_name_of_iso_3166_is_recognized() -> None:
    for entry in pycountry.countries:
        names = [entry.alpha_2, entry.alpha_3, entry.numeric, entry.name]
        names += [getattr(entry, name) for name in ("official_name", "common_name") if hasattr(entry, name)]
        for name in names:
            assert countries.country(name) == countries.country(name.upper()) == entry.alpha_2, name


def test_an_alias_names_a_country_and_contradicts_no_code_or_name() -> None:
    listed = countries.iso_names()
    for name, code in countries.ALIASES.items():
        assert pycountry.countries.get(alpha_2=code)
        assert countries._key(name) not in listed, f"{name} is in pycountry; the alias is superfluous"
        assert countries.country(name) == code


def test_a_name_of_two_countries_is_a_mistake_to_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    twins = [SimpleNamespace(alpha_2=code, alpha_3=code * 2, numeric=code, name="Twin") for code in ("AA", "BB")]
    monkeypatch.setattr(pycountry, "countries", twins)
    with pytest.raises(RuntimeError, match="'Twin' stands for two countries"):
        countries.iso_names()


def test_numbers_are_numeric_codes() -> None:
    column = countries.countries(texts([756, 4, 756.0, "", None, 1000, True]))
    assert column.array.to_pylist() == ["CH", "AF", "CH", None, None, None, None]
    assert column.unusable.tolist() == [False, False, False, False, False, True, True]


@given(st.text())
def test_whatever_the_text_is_the_answer_is_a_country_or_nothing(text: str) -> None:
    found = countries.country(text)
    assert found is None or pycountry.countries.get(alpha_2=found)
