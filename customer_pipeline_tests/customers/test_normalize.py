import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline import timestamps
from customer_pipeline.customers.mapping import Mapping
from customer_pipeline.customers.model import Customer, CustomerDocument
from customer_pipeline.customers.normalize import Normalized, Normalizer
from customer_pipeline.customers.reasons import Reason
from customer_pipeline.customers.schemas import CUSTOMERS, QUARANTINE, RAW
from customer_pipeline_tests.customers.strategies import JSON

FETCHED = datetime(2026, 11, 23, 8, tzinfo=UTC)
MAPPING = Mapping.model_validate(
    {
        "fields": {
            "id": "id",
            "updated_at": "updated",
            "created_at": "created",
            "deleted_at": "deleted",
            "email": "mail",
            "phone": "phones[0]",
            "name": "name",
            "given_name": "first",
            "family_name": "last",
            "company": "org.name",
            "status": "status",
            "language": "lang",
            "tags": "tags",
            "address": {
                "line1": "street",
                "line2": "street2",
                "city": "city",
                "region": "state",
                "postal_code": "zip",
                "country": "country",
            },
            "attributes": {
                "any": {"path": "extra"},
                "born": {"path": "born", "type": "date"},
                "note": {"path": "note", "type": "text"},
                "seen": {"path": "seen", "type": "datetime"},
                "size": {"path": "length(size)"},
            },
        },
        "datetimes": {"formats": ["iso8601", "rfc2822", "epoch_s"], "timezone": "Europe/Zurich"},
        "phone_region": "CH",
    }
)
NORMALIZER = Normalizer(MAPPING)
FULL = {
    "id": 42,
    "updated": "2026-11-23T07:50:00Z",
    "created": "2020-07-01 12:00",
    "mail": "Anna.Meier@Example.COM",
    "phones": ["030 901820"],
    "first": " Anna ",
    "last": "Meier",
    "org": {"name": "Meier & Söhne"},
    "status": "active",
    "lang": "de_de",
    "tags": "vip, new,vip",
    "street": "Hauptstr.\t5",
    "city": "Ko\u0308ln",
    "zip": 50667,
    "country": "Germany",
    "extra": {"b": 2**70, "a": [1.5]},
    "born": "1980-02-29",
    "note": "says 'hi'",
    "seen": 0,
    "size": "abc",
}


def batch(*texts: str) -> pa.RecordBatch:
    rows = [{"id": None, "updated_at": None, "fetched_at": FETCHED, "record": text} for text in texts]
    return pa.RecordBatch.from_pylist(rows, schema=RAW)


def normalize(*records: Any, ahead: timedelta = timedelta(minutes=5)) -> Normalized:
    return NORMALIZER(batch(*map(json.dumps, records)), ahead=ahead)


def one(**change: Any) -> dict[str, Any]:
    """Return the customer that the full record with a change becomes."""
    (row,) = normalize(FULL | change).customers.to_pylist()
    customer: dict[str, Any] = row | {"attributes": json.loads(row["attributes"])}
    return customer


def test_a_full_record_becomes_a_full_customer() -> None:
    assert one() == {
        "id": "42",
        "email": "Anna.Meier@example.com",
        "phone": "+4930901820",
        "name": "Anna Meier",
        "given_name": "Anna",
        "family_name": "Meier",
        "company": "Meier & Söhne",
        "address": {
            "line1": "Hauptstr. 5",
            "line2": None,
            "city": "K\u00f6ln",
            "region": None,
            "postal_code": "50667",
            "country": "DE",
        },
        "status": "active",
        "language": "de-DE",
        "tags": ["vip", "new"],
        "attributes": {
            "any": {"a": [1.5], "b": 2**70},
            "born": "1980-02-29",
            "note": "says 'hi'",
            "seen": "1970-01-01T00:00:00.000000Z",
            "size": 3,
        },
        "created_at": datetime(2020, 7, 1, 10, tzinfo=UTC),
        "updated_at": datetime(2026, 11, 23, 7, 50, tzinfo=UTC),
        "deleted_at": None,
        "invalid": [],
        "fetched_at": FETCHED,
    }


def test_a_bare_record_becomes_an_empty_customer() -> None:
    (row,) = normalize({"id": "x", "updated": 1_700_000_000}).customers.to_pylist()
    absent = {name for name, value in row.items() if value is None}
    assert absent == set(CUSTOMERS.names) - {"id", "updated_at", "fetched_at", "tags", "attributes", "invalid"}
    assert (row["tags"], row["invalid"], row["id"]) == ([], ["attributes.size"], "x")


def test_fields_that_cannot_be_used_are_null_and_named() -> None:
    bad = {
        "created": "soon", "deleted": "gone", "mail": "no", "phones": ["1"], "name": True, "first": [], "last": {},
        "org": {"name": False}, "status": [1], "lang": "German", "tags": [{}], "street": True, "street2": True,
        "city": True, "state": True, "zip": True, "country": "Atlantis", "extra": "\ud800", "born": "1980-02-30",
        "note": [], "seen": "never", "size": 5,
    }  # fmt: skip
    result = normalize(FULL | bad, FULL, {"id": 1, "updated": 0} | bad)
    row, good, _ = result.customers.to_pylist()
    names = [
        "address.city", "address.country", "address.line1", "address.line2", "address.postal_code", "address.region",
        "attributes.any", "attributes.born", "attributes.note", "attributes.seen", "attributes.size", "company",
        "created_at", "deleted_at", "email", "family_name", "given_name", "language", "name", "phone", "status", "tags",
    ]  # fmt: skip
    assert row["invalid"] == names == sorted(names)
    assert result.invalid == dict.fromkeys(names, 2)
    assert good["invalid"] == []
    assert row["address"] is row["name"] is row["created_at"] is None
    assert row["deleted_at"] == row["updated_at"]
    assert set(json.loads(row["attributes"]).values()) == {None}


@pytest.mark.parametrize(
    ("change", "name", "invalid"),
    [
        ({"name": "Dr. A. Meier"}, "Dr. A. Meier", []),
        ({"name": " "}, "Anna Meier", []),
        ({"name": None, "last": None}, "Anna", []),
        ({"name": None, "first": ""}, "Meier", []),
        ({"name": None, "first": None, "last": None}, None, []),
        ({"name": ["Anna"]}, None, ["name"]),
    ],
)
def test_an_absent_name_is_composed(change: dict[str, Any], name: str | None, invalid: list[str]) -> None:
    customer = one(**change)
    assert (customer["name"], customer["invalid"]) == (name, invalid)


def test_a_phone_number_is_read_in_the_country_of_the_address_before_the_region_of_the_profile() -> None:
    assert one(phones=["044 668 18 00"], country="CH")["phone"] == "+41446681800"
    assert one(phones=["044 668 18 00"], country=None)["phone"] == "+41446681800"
    assert one(phones=["044 668 18 00"], country="US")["phone"] is None


def test_a_deletion_has_a_time_and_anything_else_has_none() -> None:
    assert one(deleted="2026-11-22T00:00:00Z")["deleted_at"] == datetime(2026, 11, 22, tzinfo=UTC)
    assert one(deleted="")["deleted_at"] is None


@pytest.mark.parametrize(
    ("text", "reason", "field"),
    [
        ("{", Reason.NOT_JSON, None),
        ("[" * 5000, Reason.NOT_JSON, None),
        ("[]", Reason.NOT_AN_OBJECT, None),
        ("null", Reason.NOT_AN_OBJECT, None),
        ('"x"', Reason.NOT_AN_OBJECT, None),
        ("NaN", Reason.NOT_JSON, None),
        ("{}", Reason.ID_MISSING, "id"),
        ('{"id": null}', Reason.ID_MISSING, "id"),
        ('{"id": ""}', Reason.ID_UNUSABLE, "id"),
        ('{"id": true, "updated": 0}', Reason.ID_UNUSABLE, "id"),
        ('{"id": 1.0, "updated": 0}', Reason.ID_UNUSABLE, "id"),
        ('{"id": 1e999, "updated": 0}', Reason.ID_UNUSABLE, "id"),
        ('{"id": 1}', Reason.UPDATED_AT_MISSING, "updated"),
        ('{"id": 1, "updated": "soon"}', Reason.UPDATED_AT_UNUSABLE, "updated"),
        ('{"id": 1, "updated": ""}', Reason.UPDATED_AT_UNUSABLE, "updated"),
        ('{"id": 1, "updated": NaN}', Reason.UPDATED_AT_UNUSABLE, "updated"),
        ('{"id": 1, "updated": "1899-12-31T23:59:59Z"}', Reason.UPDATED_AT_TOO_OLD, "updated"),
        ('{"id": 1, "updated": "2026-11-23T08:05:00.000001Z"}', Reason.UPDATED_AT_IN_FUTURE, "updated"),
    ],
)
def test_a_record_that_is_no_customer_is_quarantined_as_it_is(text: str, reason: Reason, field: str | None) -> None:
    good = json.dumps(FULL)
    result = NORMALIZER(batch(good, text, good), ahead=timedelta(minutes=5))
    assert result.customers.num_rows == 2
    assert result.quarantined.to_pylist() == [
        {"reason": reason.value, "field": field, "fetched_at": FETCHED, "record": text}
    ]


@pytest.mark.parametrize("text", ["1900-01-01T00:00:00Z", "2026-11-23T08:05:00Z"])
def test_the_bounds_of_plausibility_are_plausible(text: str) -> None:
    assert normalize(FULL | {"updated": text}).quarantined.num_rows == 0


@pytest.mark.parametrize("number", ["1e999", "NaN", "9" * 5000])
def test_a_number_without_a_value_costs_its_field_alone(number: str) -> None:
    text = json.dumps(FULL).replace("50667", number)
    (row,) = NORMALIZER(batch(text), ahead=timedelta(0)).customers.to_pylist()
    assert row["invalid"] == ["address.postal_code"]
    assert row["address"]["city"] == "K\u00f6ln"


def test_an_empty_batch_has_empty_tables_of_the_same_schemas() -> None:
    result = normalize()
    assert result.customers.schema.equals(CUSTOMERS, check_metadata=True)
    assert result.quarantined.schema.equals(QUARANTINE, check_metadata=True)
    assert result.customers.num_rows == result.quarantined.num_rows == len(result.invalid) == 0


def test_a_mapping_of_nothing_but_the_key_normalizes() -> None:
    mapping = Mapping.model_validate({"fields": {"id": "id", "updated_at": "updated"}})
    (row,) = Normalizer(mapping)(batch(json.dumps(FULL)), ahead=timedelta(0)).customers.to_pylist()
    assert (row["id"], row["name"], row["attributes"], row["invalid"]) == ("42", None, "{}", [])


def test_a_batch_in_the_middle_of_a_table_is_read_at_its_place() -> None:
    texts = [json.dumps(FULL | {"id": number}) for number in range(5)]
    raw = batch(*texts, "x").slice(3)
    result = NORMALIZER(raw, ahead=timedelta(0))
    assert result.customers.column("id").to_pylist() == ["3", "4"]
    assert result.quarantined.column("record").to_pylist() == ["x"]


DIRT = JSON | st.sampled_from(
    [
        "", " \u00a0", "anna@example.com", "+41446681800", "044 668 18 00", "CH", 756, "Germany", "de_CH", "a,b,a",
        ["x", None, 1, True], "2026-11-23T07:00:00Z", "2026-11-23", 1_700_000_000, "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z", "x\u0000\u200b", True, {"name": "Ü"},
    ]
)  # fmt: skip
IDS = st.integers(0, 5) | st.text("ab}é ", max_size=3) | DIRT
DIRTY = st.fixed_dictionaries(
    {"id": IDS, "updated": st.sampled_from(["2026-11-23T07:50:00Z", 1_700_000_000]) | DIRT},
    optional={name: DIRT for name in FULL if name not in ("id", "updated")} | {"phones": st.lists(DIRT, max_size=2)},
)
TEXTS = st.lists((DIRTY | JSON).map(json.dumps) | st.text(st.characters(exclude_categories=["Cs"])), max_size=4)
SCHEMA = jsonschema.Draft202012Validator(CustomerDocument.model_json_schema(mode="serialization"))


@given(TEXTS)
@settings(max_examples=150)
def test_whatever_comes_in_out_come_valid_customers_and_quarantine(texts: list[str]) -> None:
    result = NORMALIZER(batch(*texts), ahead=timedelta(minutes=5))
    assert result.customers.num_rows + result.quarantined.num_rows == len(texts)
    result.customers.validate(full=True)
    result.quarantined.validate(full=True)
    assert result.customers.schema.equals(CUSTOMERS, check_metadata=True)
    names: list[str] = []
    for row in result.customers.to_pylist():
        fetched_at = timestamps.format_instant(row.pop("fetched_at"))
        customer = Customer.model_validate(row | {"attributes": json.loads(row["attributes"])})
        assert customer.invalid == sorted(set(customer.invalid))
        names += customer.invalid
        document = customer.model_dump(mode="json")
        SCHEMA.validate({"version": f"{document['updated_at']}/{fetched_at}"} | document)
    assert result.invalid == {name: names.count(name) for name in names}
    for row in result.quarantined.to_pylist():
        assert row["reason"] in set(Reason)
        assert row["record"] in texts


@given(TEXTS)
@settings(max_examples=50)
def test_a_record_is_normalized_the_same_whatever_stands_beside_it(texts: list[str]) -> None:
    together = NORMALIZER(batch(*texts), ahead=timedelta(minutes=5))
    alone = [NORMALIZER(batch(text), ahead=timedelta(minutes=5)) for text in texts]
    assert together.customers.to_pylist() == [row for result in alone for row in result.customers.to_pylist()]
    assert together.quarantined.to_pylist() == [row for result in alone for row in result.quarantined.to_pylist()]
