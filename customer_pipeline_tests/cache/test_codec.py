import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.cache.codec import encode
from customer_pipeline.customers.model import Customer, CustomerDocument
from customer_pipeline.customers.schemas import CUSTOMERS
from customer_pipeline.timestamps import epoch_milliseconds, parse_instant

UPDATED = datetime(2026, 11, 23, 7, 50, 0, 123456, tzinfo=UTC)
FETCHED = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ADDRESS = {"line1": "1 rue", "line2": None, "city": "Zürich", "region": None, "postal_code": "8001", "country": "CH"}
ROW: dict[str, Any] = {
    "id": "42",
    "email": "ada@example.com",
    "phone": "+41446681800",
    "name": 'Ada "the" Löwe\n',
    "given_name": None,
    "family_name": "}\n,\n{",
    "company": None,
    "address": ADDRESS,
    "status": "active",
    "language": "de-CH",
    "tags": ["a", "b"],
    "attributes": '{"n": 123456789012345678901234567890, "f": 1.10, "o": {"x": [1,\n2]}}',
    "created_at": datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    "updated_at": UPDATED,
    "deleted_at": None,
    "invalid": ["phone"],
    "fetched_at": FETCHED,
}
SCHEMA = CustomerDocument.model_json_schema()


def rows(*changes: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([ROW | change for change in changes], schema=CUSTOMERS)


def one(**change: Any) -> dict[str, Any]:
    (state,) = encode(rows(change))
    assert state.document is not None
    found: dict[str, Any] = json.loads(state.document)
    return found


def test_a_document_begins_with_its_version_at_fixed_offsets() -> None:
    (state,) = encode(rows({}))
    version = "2026-11-23T07:50:00.123456Z/2026-11-23T08:00:00.000000Z"
    assert state.version == version
    assert state.document is not None
    assert state.document.startswith(b'{"version":"' + version.encode() + b'","id":"42",')


def test_a_state_says_who_and_when_in_milliseconds_rounded_down() -> None:
    (state,) = encode(rows({}))
    assert (state.id, state.updated_ms) == ("42", epoch_milliseconds(UPDATED))
    (before_1970,) = encode(rows({"updated_at": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)}))
    assert before_1970.updated_ms == -1


def test_members_follow_the_model_and_every_one_is_present() -> None:
    assert list(one()) == ["version", *Customer.model_fields]
    assert list(one()["address"]) == list(ADDRESS)


def test_values_arrive_as_they_are() -> None:
    found = one()
    for name in ("email", "phone", "name", "given_name", "family_name", "address", "status", "tags", "invalid"):
        assert found[name] == ROW[name]
    assert found["deleted_at"] is None
    assert found["created_at"] == "1999-12-31T23:59:59.000000Z"
    assert one(address=None)["address"] is None
    assert one(created_at=None)["created_at"] is None


def test_lists_and_attributes_are_never_null() -> None:
    found = one(tags=None, invalid=None, attributes=None)
    assert (found["tags"], found["invalid"], found["attributes"]) == ([], [], {})


def test_attributes_are_embedded_as_the_text_they_are() -> None:
    (state,) = encode(rows({}))
    assert state.document is not None
    assert b'"attributes":' + ROW["attributes"].encode() + b"," in state.document
    assert one()["attributes"]["n"] == 123456789012345678901234567890


def test_a_row_with_deleted_at_is_a_deletion_and_the_order_is_kept() -> None:
    states = encode(
        rows({"id": "a"}, {"id": "b", "deleted_at": UPDATED}, {"id": "c"}, {"id": "d", "deleted_at": UPDATED})
    )
    assert [(state.id, state.document is None) for state in states] == [
        ("a", False),
        ("b", True),
        ("c", False),
        ("d", True),
    ]
    for state in states:
        assert state.document is None or json.loads(state.document)["id"] == state.id


@pytest.mark.parametrize("deleted_at", [None, UPDATED])
def test_a_table_of_one_kind_is_encoded(deleted_at: datetime | None) -> None:
    states = encode(rows(*({"id": str(number), "deleted_at": deleted_at} for number in range(5))))
    assert [state.id for state in states] == list("01234")
    assert all((state.document is None) == (deleted_at is not None) for state in states)


def test_no_rows_are_no_states() -> None:
    assert encode(CUSTOMERS.empty_table()) == []


def test_a_record_batch_a_slice_and_a_chunked_table_are_encoded_alike() -> None:
    table = rows(*({"id": str(number)} for number in range(6)))
    states = encode(table)
    assert [state for batch in table.to_batches(max_chunksize=2) for state in encode(batch)] == states
    assert encode(table.slice(2, 3)) == states[2:5]
    assert encode(pa.concat_tables([table.slice(0, 3), table.slice(3)])) == states


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- bounds
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
TABLES = st.lists(
    st.fixed_dictionaries(
        {
            "id": TEXT.filter(bool),
            **{name: st.none() | TEXT for name in ("email", "name", "given_name", "family_name", "company", "status")},
            "address": st.none()
            | st.fixed_dictionaries({name: st.none() | TEXT for name in ADDRESS if name != "country"}),
            "tags": st.lists(TEXT, max_size=3),
            "attributes": st.dictionaries(TEXT, JSON, max_size=3).map(json.dumps),
            "created_at": st.none() | INSTANTS,
            "updated_at": INSTANTS,
            "deleted_at": st.none() | INSTANTS,
            "fetched_at": INSTANTS,
        }
    ),
    min_size=1,
    max_size=5,
)
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


@settings(max_examples=50)
@given(TABLES)
def test_every_document_is_what_the_model_and_its_json_schema_say(drawn: list[dict[str, Any]]) -> None:
    states = encode(rows(*drawn))
    assert len(states) == len(drawn)
    for state, row in zip(states, drawn, strict=True):
        updated_at, fetched_at = state.version.split("/")
        assert (parse_instant(updated_at), parse_instant(fetched_at)) == (row["updated_at"], row["fetched_at"])
        assert state.updated_ms == (row["updated_at"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        assert (state.document is None) == (row["deleted_at"] is not None)
        if state.document is None:
            continue
        found = json.loads(state.document)
        jsonschema.validate(found, SCHEMA)
        customer = CustomerDocument.model_validate_json(state.document)
        assert (customer.id, customer.name, customer.tags) == (row["id"], row["name"], row["tags"])
        assert (customer.updated_at, customer.created_at) == (row["updated_at"], row["created_at"])
        assert found["attributes"] == json.loads(row["attributes"])
        assert INSTANT.fullmatch(found["updated_at"])
        assert found["created_at"] is None or INSTANT.fullmatch(found["created_at"])
