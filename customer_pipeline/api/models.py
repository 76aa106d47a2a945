"""The shapes of the answers, for the reference; the customers in them are those of the one model."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from customer_pipeline.customers.model import CustomerDocument, Instant

Customers = Annotated[list[CustomerDocument], Field(description="The documents, as they are in the cache.")]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Batch(_Shape):
    """The customers of a list of ids."""

    customers: Customers
    missing: list[str] = Field(description="Ids of those that are unknown or deleted.")


class Page(_Shape):
    """Some customers, in the order of `updated_at`."""

    customers: Customers
    next: str | None = Field(description="`cursor` of the next page; null on the last one.")


class Found(_Shape):
    """The customers who have what was looked up."""

    customers: Customers
    complete: bool = Field(description="False where there are more than the hundred that are shown.")


class Change(_Shape):
    """The data of an event of the stream of changes; that of `ready` and `reset` is empty."""

    id: str = Field(description="The customer's id.")
    version: str = Field(description="The version that the customer has since; versions of one compare as text.")
    kind: Literal["changed", "deleted"] = Field(description="What happened; the event's name too.")


class Gap(_Shape):
    """A half-open interval that should have been published and was not."""

    start: Instant
    end: Instant


class FreshnessDocument(_Shape):
    """How far the cache is true to the provider; all null before the first publication."""

    as_of: Instant | None = Field(description="The cache is complete up to here, but for `gaps` before it.")
    latest: Instant | None = Field(description="The end of the newest ten minutes that were published.")
    gaps: list[Gap] = Field(description="What should have been published and was not.")
    stale_since: Instant | None = Field(description="When the first gap was due; null without a gap.")
    published_at: Instant | None = Field(description="When something was published last.")
    stale: bool = Field(description="Whether `as_of` lies further back than this service is told to accept.")


class Health(_Shape):
    """That the service runs, or is ready."""

    status: Literal["ok", "ready"]
