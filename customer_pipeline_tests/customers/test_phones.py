import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.customers.countries import countries
from customer_pipeline.customers.phones import phone, phones
from customer_pipeline.customers.texts import texts


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("+41 44 668 18 00", None, "+41446681800"),
        ("044 668 18 00", "CH", "+41446681800"),
        ("0041 44 668 18 00", "CH", "+41446681800"),
        ("+44 (0)20 7946 0018", "CH", "+442079460018"),
        ("+41 44 668 18 00 ext. 12", None, "+41446681800"),
        ("tel:+41-44-668-18-00", None, "+41446681800"),
        ("\u0660\u0664\u0664 \u0666\u0666\u0668 \u0661\u0668 \u0660\u0660", "CH", "+41446681800"),
        ("+39 06 6982", None, "+39066982"),
        ("044 668 18 00", None, None),
        ("044 668 18 00", "AQ", None),
        ("044 668 18", "CH", None),
        ("+41 11 111 11 11", None, None),
        ("112", "CH", None),
        ("n/a", "CH", None),
        ("9" * 300, "CH", None),
    ],
)
def test_a_number_is_formatted_or_refused(text: str, region: str | None, expected: str | None) -> None:
    assert phone(text, region=region) == expected


def test_the_address_country_comes_before_the_profile_region() -> None:
    column = phones(
        texts(["030 901820", "044 668 18 00", "044 668 18 00", None, "x", {}]),
        countries=countries(texts(["DE", None, "US", "DE", None, None])),
        region="CH",
    )
    assert column.array.to_pylist() == ["+4930901820", "+41446681800", None, None, None, None]
    assert column.unusable.tolist() == [False, False, True, False, True, True]


def test_a_number_beside_an_unusable_country_is_not_read_in_another_one() -> None:
    column = phones(
        texts(["044 668 18 00", "+41 44 668 18 00", "044 668 18 00"]),
        countries=countries(texts(["Switzerlandd", "Switzerlandd", None])),
        region="CH",
    )
    assert column.array.to_pylist() == [None, "+41446681800", "+41446681800"]
    assert column.unusable.tolist() == [True, False, False]


def test_the_example_numbers_of_every_region_are_kept() -> None:
    for region in phonenumbers.SUPPORTED_REGIONS:
        number = phonenumbers.example_number(region)
        assert number
        national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        assert phone(e164, region=None) == phone(national, region=region) == e164


@given(st.text() | st.text("0123456789+ ()-/.x;,ext"), st.sampled_from([None, "CH", "US", "AQ"]))
def test_whatever_the_text_is_the_answer_is_valid_or_nothing(text: str, region: str | None) -> None:
    found = phone(text, region=region)
    assert found is None or phonenumbers.is_valid_number(phonenumbers.parse(found))
