"""The canonical customer: the single source of the Parquet schema, the JSON Schema and the columns shown in the UI."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, WithJsonSchema

from customer_pipeline import timestamps

_INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("a datetime without an offset names no instant")
    return instant


Instant = Annotated[
    datetime,
    AfterValidator(_aware),
    PlainSerializer(timestamps.format_instant, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{_INSTANT}$"}),
]
CountryCode = Annotated[str, Field(pattern="^[A-Z]{2}$")]
EmailAddress = Annotated[str, Field(max_length=254, json_schema_extra={"format": "idn-email"})]
LanguageTag = Annotated[str, Field(pattern="^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,14}$")]


class Address(BaseModel):
    """A postal address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    line1: str | None = Field(description="First line: street and number.")
    line2: str | None = Field(description="Second line: floor, building, care of.")
    city: str | None = Field(description="City or town.")
    region: str | None = Field(description="State, province or canton, as the provider writes it.")
    postal_code: str | None = Field(description="Postal code, as the provider writes it.")
    country: CountryCode | None = Field(description="ISO 3166-1 alpha-2.")


class Customer(BaseModel):
    """One customer; every member is present, absent values are null."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=512)] = Field(description="The provider's id, as text.")
    email: EmailAddress | None = Field(description="E-mail address, normalized; valid by syntax, delivery not tried.")
    phone: PhoneNumber | None = Field(description="Telephone number, E.164.")
    name: str | None = Field(description="Full name.")
    given_name: str | None = Field(description="Given name.")
    family_name: str | None = Field(description="Family name.")
    company: str | None = Field(description="Organization.")
    address: Address | None = Field(description="Postal address; null when no part of it is known.")
    status: str | None = Field(description="Status, as the provider names it.")
    language: LanguageTag | None = Field(description="BCP 47 language tag.")
    tags: list[str] = Field(description="Labels without duplicates, in the provider's order.")
    attributes: dict[str, JsonValue] = Field(description="What the profile passes through, by name.")
    created_at: Instant | None = Field(description="When the provider created the customer.")
    updated_at: Instant = Field(description="When the customer last changed at the provider.")
    deleted_at: Instant | None = Field(description="When the customer was deleted; null in every published document.")
    invalid: list[str] = Field(description="Names of fields that were present but unusable, such as `address.country`.")


class CustomerDocument(Customer):
    """A customer as it stands in the cache: the customer, and first the version that orders its states."""

    version: Annotated[str, Field(pattern=f"^{_INSTANT}/{_INSTANT}$")] = Field(
        description="`<updated_at>/<fetched_at>`; versions of one customer compare as text."
    )
