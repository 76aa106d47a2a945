import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.customers import emails
from customer_pipeline.customers.texts import texts

LOCAL = st.text("abzAZ09._+-", max_size=12) | st.sampled_from(["info", "Info", "a" * 64, "a" * 240])
LABEL = st.text("abzXN09-", max_size=8) | st.sampled_from(["xn--bcher-kva", "ab--c", "a" * 63, "a" * 64, "1"])
TLD = st.sampled_from(
    ["ch", "COM", "test", "Local", "invalid", "onion", "arpa", "c", "c1", "1", "example", "localhost"]
)
ADDRESS = st.builds(
    lambda local, labels, tld: f"{local}@{'.'.join([*labels, tld])}", LOCAL, st.lists(LABEL, max_size=3), TLD
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anna@Example.COM", "anna@example.com"),
        ("Anna.Meier@example.com", "Anna.Meier@example.com"),
        ("INFO@example.com", "info@example.com"),
        ("jürgen@BÜCHER.example.com", "jürgen@bücher.example.com"),
        ("anna@xn--bcher-kva.ch", "anna@bücher.ch"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("o'neill@example.com", "o'neill@example.com"),
        ("anna@example", None),
        ("anna", None),
        ("anna@@example.com", None),
        ("anna meier@example.com", None),
        ("Anna <anna@example.com>", None),
        ('"anna"@example.com', None),
        ("anna@[127.0.0.1]", None),
        ("anna@shop.test", None),
        ("a" * 250 + "@example.com", None),
        ("5", None),
    ],
)
def test_an_address_is_normalized_or_refused(text: str, expected: str | None) -> None:
    assert emails.email(text) == expected


def test_only_a_refused_address_is_unusable() -> None:
    column = emails.emails(texts(["a@b.ch", None, "", "no", True, "a@b.ch"]))
    assert column.array.to_pylist() == ["a@b.ch", None, None, None, None, "a@b.ch"]
    assert column.unusable.tolist() == [False, False, False, True, True, False]


@given(ADDRESS)
def test_the_quick_way_gives_what_the_library_gives(address: str) -> None:
    found = emails.quick(address)
    if found is not None:
        assert found == validate_email(address, check_deliverability=False).normalized


def test_the_quick_way_takes_plain_addresses_and_leaves_others_to_the_library() -> None:
    assert emails.quick("anna.meier+shop@mail.Example.com") == "anna.meier+shop@mail.example.com"
    for address in ("Info@example.com", "a@b.test", "a@xn--bcher-kva.ch", "a@b", "ü@b.ch", f"{'a' * 250}@b.ch"):
        assert emails.quick(address) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    emails.email(text)
