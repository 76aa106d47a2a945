from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from customer_pipeline.customers.model import Address, Customer
from customer_pipeline.customers.schemas import CUSTOMERS, INSTANT, arrow_type

CUSTOMER: dict[str, Any] = dict.fromkeys(Customer.model_fields) | {
    "id": "1",
    "tags": [],
    "attributes": {},
    "updated_at": datetime(2026, 11, 23, tzinfo=UTC),
    "invalid": [],
}


def test_the_columns_are_the_models_fields_and_the_fetch() -> None:
    assert CUSTOMERS.names == [*Customer.model_fields, "fetched_at"]
    assert [field.name for field in CUSTOMERS.field("address").type] == list(Address.model_fields)


def test_every_column_is_described() -> None:
    for field in [*CUSTOMERS, *CUSTOMERS.field("address").type]:
        assert field.metadata[b"comment"]


def test_only_what_the_model_allows_to_be_absent_is_nullable() -> None:
    required = {field.name for field in CUSTOMERS if not field.nullable}
    assert required == {"id", "updated_at", "tags", "attributes", "invalid", "fetched_at"}


def test_types_follow_the_model() -> None:
    assert CUSTOMERS.field("updated_at").type == INSTANT
    assert CUSTOMERS.field("tags").type == pa.list_(pa.string())
    assert CUSTOMERS.field("attributes").type == pa.string()


def test_a_type_without_a_counterpart_is_refused() -> None:
    with pytest.raises(TypeError, match="no Arrow type is known"):
        arrow_type(date)


def test_a_naive_datetime_is_no_instant() -> None:
    Customer.model_validate(CUSTOMER)
    with pytest.raises(ValidationError, match="names no instant"):
        Customer.model_validate(CUSTOMER | {"created_at": datetime(2026, 11, 23)})  # noqa: DTZ001 -- the point


def test_instants_are_written_in_the_one_form() -> None:
    zone = timezone(timedelta(hours=1))
    customer = Customer.model_validate(CUSTOMER | {"created_at": datetime(2026, 11, 23, 8, tzinfo=zone)})
    assert customer.model_dump(mode="json")["created_at"] == "2026-11-23T07:00:00.000000Z"
