from typing import Any

import pytest
from pydantic import ValidationError

from customer_pipeline.customers.mapping import Fields, Mapping

FIELDS = {"id": "id", "updated_at": "updated_at"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": FIELDS | {"email": "last-name"}}, "quote names with dashes"),
        ({"fields": FIELDS | {"email": "trim(email)"}}, "has no function 'trim'"),
        ({"fields": FIELDS | {"address": {"street": "a"}}}, "unknown address part.*'street'.*'line1'"),
        ({"fields": FIELDS | {"colour": "a"}}, "Extra inputs"),
        ({"datetimes": {"timezone": "Europe/Zuerich"}}, "is no IANA time zone"),
        ({"datetimes": {"formats": ["rfc9999"]}}, "is no datetime format"),
        ({"datetimes": {"formats": ["%d.%m."]}}, "reads no year"),
        ({"datetimes": {"formats": []}}, "at least 1 item"),
        ({"phone_region": "ch"}, "should match pattern"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_the_reason(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Mapping.model_validate({"fields": FIELDS} | change)


def test_a_field_of_the_model_that_cannot_be_mapped_is_a_mistake_in_the_program() -> None:
    class Grown(Fields):
        pass

    del Grown.model_fields["email"]
    with pytest.raises(TypeError, match="'email'"):
        Grown.model_validate(FIELDS)
