import pytest

from customer_pipeline.erasure.ledger import digest
from customer_pipeline.erasure.target import Target, forms, mention


def target(name: str, *, known: bool = True) -> Target:
    return Target(f"00000000-{digest(b'salt', name).hex()}", salt=b"salt", customer_id=name if known else None)


def test_an_id_is_known_once_it_is_met() -> None:
    unknown = target("cus_1", known=False)

    assert unknown.picks(["cus_2", None]).tolist() == [False, False]
    assert unknown.id is None
    assert not unknown.is_mentioned("cus_1")
    assert unknown.picks([None, "cus_1", "cus_2", "cus_1"]).tolist() == [False, True, False, True]
    assert unknown.id == "cus_1"


def test_nothing_that_is_printed_of_it_holds_the_id() -> None:
    assert "cus_1" not in repr(target("cus_1"))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("cus_00001", "customer cus_00001 was", True),
        ("cus_00001", '{"id": "cus_00001"}', True),
        ("cus_00001", "customer:{cus_00001}:tombstone", True),
        ("cus_00001", "cus_000010", False),
        ("cus_00001", "my-cus_00001", False),
        ("4711", '{"id": "4711"}', True),
        ("4711", r"{\"id\": \"4711\"}", True),
        ("4711", "customer:{4711}", True),
        ("4711", '{"pages": 4711}', False),
        ("ab", "ab", False),
        ("ab", "['ab']", True),
        ("a.c+defg", "abc+defg", False),
        ("a.c+defg", "a.c+defg", True),
        ("José-Müller", r'{"id": "Jos\u00e9-M\u00fcller"}', True),
        ('quo"ted', r'{"id": "quo\"ted"}', True),
    ],
)
def test_an_id_is_found_where_it_stands_as_a_whole(name: str, text: str, found: bool) -> None:  # noqa: FBT001
    assert bool(mention(name).search(text)) is found
    assert target(name).is_mentioned(text) is found


def test_the_forms_of_a_plain_id_are_one() -> None:
    assert forms("cus_1") == ["cus_1"]
