import orjson
import pytest

from customer_pipeline.preview.differences import change_of, fields
from customer_pipeline.preview.report import Change

VERSION = "2026-11-23T07:50:00.000000Z/2026-11-23T08:00:00.000000Z"
LATER = "2026-11-23T07:50:00.000000Z/2026-11-23T09:00:00.000000Z"


def document(version: str = VERSION, **members: object) -> bytes:
    return orjson.dumps({"version": version, "id": "a", **members})


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (None, None, None),
        (document(name="Ada"), document(LATER, name="Ada"), None),
        (document(name="Ada"), document(LATER, name="Bea"), Change.CHANGED),
        (None, document(), Change.ADDED),
        (document(), None, Change.REMOVED),
        (b"", document(), Change.CHANGED),
    ],
)
def test_documents_differ_by_more_than_their_version(
    before: bytes | None, after: bytes | None, change: Change | None
) -> None:
    assert change_of(before, after) is change


def test_fields_are_told_by_path_kind_and_length() -> None:
    before = document(
        name="Ada", tags=["x"], address=None, attributes={"vip": True, "score": 1}, born="1990-01-02", note="same"
    )
    after = document(
        LATER,
        name=None,
        tags=["x", "y"],
        address={"city": "Zug", "street": None},
        attributes={"vip": False, "since": "2026-11-23T07:50:00.000000Z"},
        born="1990-01-03",
        note="same",
    )

    found = {one.field: (one.change.value, one.before, one.after) for one in fields(before, after, show_values=False)}

    assert found == {
        "name": ("removed", "text of 3", "null"),
        "tags": ("changed", "list of 1", "list of 2"),
        "address.city": ("added", "null", "text of 3"),
        "attributes.vip": ("changed", "boolean", "boolean"),
        "attributes.score": ("removed", "number", "null"),
        "attributes.since": ("added", "null", "instant"),
        "born": ("changed", "date", "date"),
    }


def test_values_are_given_where_they_are_asked_for() -> None:
    (only,) = fields(document(name="Ada"), document(LATER, name="Bea"), show_values=True)

    assert (only.before, only.after) == ("Ada", "Bea")


@pytest.mark.parametrize("foreign", [b"not JSON", b"[1]", b"", None])
def test_what_the_pipeline_did_not_write_has_no_fields(foreign: bytes | None) -> None:
    assert [one.field for one in fields(foreign, document(name="Ada", tags=[]), show_values=False)] == ["id", "name"]
