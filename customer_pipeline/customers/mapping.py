"""How a provider's record maps to the canonical customer: the `fields` part of a profile."""

from datetime import tzinfo
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from customer_pipeline import timestamps
from customer_pipeline.customers.model import Address, Customer
from customer_pipeline.customers.paths import check_expression


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone; write one such as Europe/Zurich or UTC") from error
    return name


JmesPath = Annotated[str, Field(min_length=1), AfterValidator(check_expression)]
TimeZoneName = Annotated[str, AfterValidator(_is_zone)]


class DatetimeParsing(_Strict):
    """How the provider's datetimes are read.

    Attributes:
        formats: tried in this order: `iso8601`, `rfc2822`, `epoch_s`, `epoch_ms`, `epoch_us`, or a strptime pattern.
        timezone: IANA zone of values that carry none. A value in a DST gap or fold is read with the offset in force
            before the transition (PEP 495, fold=0).
    """

    formats: tuple[str, ...] = Field(("iso8601", "rfc2822"), min_length=1)
    timezone: TimeZoneName = "UTC"

    @property
    def zone(self) -> tzinfo:
        """The zone of naive values."""
        return ZoneInfo(self.timezone)

    @model_validator(mode="after")
    def _formats_are_readable(self) -> Self:
        timestamps.parse_instants([], formats=self.formats, zone=self.zone)
        return self


class DeletionMark(_Strict):
    """How a record says that its customer was deleted.

    Attributes:
        path: where the mark is.
        values: the values that mean deleted, compared exactly; true is not 1. Without it, any value does but null,
            false, 0 and an empty text, list or object.
    """

    path: JmesPath
    values: tuple[str | int | bool, ...] | None = None


class Attribute(_Strict):
    """A value that is passed through under `attributes`.

    Attributes:
        path: where the value is.
        type: `any` passes JSON through unchanged; `text` is cleaned as every text; `datetime` and `date` are parsed and
            written in the contract's form.
    """

    path: JmesPath
    type: Literal["any", "text", "datetime", "date"] = "any"


class Fields(_Strict):
    """JMESPath to each canonical field; a field that is left out is null for every customer.

    Without a name, or where a record has none, it is composed of the given and the family name. `deleted_at` also marks
    deletions where `deleted` is left out.
    """

    id: JmesPath
    updated_at: JmesPath
    created_at: JmesPath | None = None
    deleted_at: JmesPath | None = None
    email: JmesPath | None = None
    phone: JmesPath | None = None
    name: JmesPath | None = None
    given_name: JmesPath | None = None
    family_name: JmesPath | None = None
    company: JmesPath | None = None
    address: dict[str, JmesPath] = Field(default_factory=dict)
    status: JmesPath | None = None
    language: JmesPath | None = None
    tags: JmesPath | None = None
    attributes: dict[str, Attribute] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _parts_are_known(self) -> Self:
        unknown = sorted(set(self.address) - set(Address.model_fields))
        if unknown:
            raise ValueError(f"unknown address part(s) {unknown}; use {sorted(Address.model_fields)}")
        if missing := set(Customer.model_fields) - set(type(self).model_fields) - {"invalid"}:
            raise TypeError(f"the model's field(s) {sorted(missing)} cannot be mapped")
        return self


class Mapping(_Strict):
    """Everything that normalization needs to know of a provider.

    Attributes:
        fields: where the canonical fields are in a record.
        datetimes: how datetimes are read.
        deleted: how a deletion is marked, where the provider states deletions.
        phone_region: ISO 3166-1 alpha-2 region of phone numbers without a country code, when the address names none.
    """

    fields: Fields
    datetimes: DatetimeParsing = DatetimeParsing()
    deleted: DeletionMark | None = None
    phone_region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
