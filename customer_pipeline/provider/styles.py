"""The pagination styles that a profile can name, and what each needs to know."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from customer_pipeline.customers.mapping import JmesPath
from customer_pipeline.provider.values import HeaderName, Strict


class _Pagination(Strict):
    """What every style has.

    Attributes:
        order: how the list is sorted by `updated_at`: the walk then continues by value, which no edit can shift.
        stable: the provider guarantees that edits during a walk move no other record (a keyset or snapshot cursor).
        size_param: query parameter that asks for a page size.
        size: records asked for in a page.
        total: where the body says how many records the whole list has.
        max_passes: how often a walk by position is repeated until two passes agree.
    """

    order: Literal["ascending", "descending", "unspecified"] = "unspecified"
    stable: bool = False
    size_param: str | None = None
    size: Annotated[int, Field(ge=1, le=100_000)] = 100
    total: JmesPath | None = None
    max_passes: Annotated[int, Field(ge=2, le=100)] = 10


class _Positional(_Pagination):
    short_page_is_last: bool = Field(default=False, description="The provider never shortens a page but the last.")

    @model_validator(mode="after")
    def _is_not_stable(self) -> Self:
        if self.stable:
            raise ValueError("positions shift when records are edited; remove `stable`, and say the `order` if you can")
        return self

    @model_validator(mode="after")
    def _short_is_known(self) -> Self:
        if self.short_page_is_last and not self.size_param:
            raise ValueError("short_page_is_last needs size_param: which page is short depends on the size asked for")
        return self


class PageNumber(_Positional):
    """A page number in the query."""

    style: Literal["page_number"]
    page_param: str = "page"
    first_page: int = 1
    total_pages: JmesPath | None = Field(None, description="Where the body says how many pages there are.")


class Offset(_Positional):
    """A record offset in the query."""

    style: Literal["offset"]
    offset_param: str = "offset"


class Cursor(_Pagination):
    """A cursor in the body, sent back in the query."""

    style: Literal["cursor"]
    cursor: JmesPath = Field(description="Where the body holds the next cursor; null or empty at the end.")
    cursor_param: str = "cursor"


class NextLink(_Pagination):
    """A link to the next page in the body."""

    style: Literal["next_link"]
    link: JmesPath = Field(description="Where the body holds the next link; null or empty at the end.")


class LinkHeader(_Pagination):
    """A `Link` header with `rel="next"` (RFC 8288)."""

    style: Literal["link_header"]


class NextHeader(_Pagination):
    """A named header that holds the next link or the next cursor."""

    style: Literal["next_header"]
    header: HeaderName
    cursor_param: str | None = Field(None, description="Query parameter for the header's value; without it, a link.")


class LastId(_Pagination):
    """The last record's id in the query, with a has-more flag in the body."""

    style: Literal["last_id"]
    id_param: str = "starting_after"
    has_more: JmesPath = "has_more"


Pagination = Annotated[
    PageNumber | Offset | Cursor | NextLink | LinkHeader | NextHeader | LastId, Field(discriminator="style")
]
