"""The endpoints of a provider in a profile: the list of customers, and one customer by its id."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from customer_pipeline import timestamps
from customer_pipeline.customers.mapping import JmesPath
from customer_pipeline.provider.references import REFERENCE, texts
from customer_pipeline.provider.values import Strict

_TEMPLATE = re.compile(r"\{[A-Za-z_]+\}")
_ID = "{id}"
_NO_CONTENT = 204
# What these say is not about the customer: the credentials, the moment, the pace.
_NEVER_ABSENT = {401, 403, 407, 408, 425, 429}


class SentDatetimes(Strict):
    """The datetime format that the provider is sent in `{since}` and `{until}`."""

    format: str = Field("rfc3339", description="`rfc3339`, `epoch_s`, `epoch_ms`, or a strftime pattern.")
    digits: Annotated[int, Field(ge=0, le=6)] = Field(6, description="Fractional digits, for rfc3339.")
    offset: Literal["Z", "+00:00"] = Field("Z", description="How UTC is written, for rfc3339.")

    @model_validator(mode="after")
    def _format_is_known(self) -> Self:
        if self.format not in {"rfc3339", "epoch_s", "epoch_ms"} and "%" not in self.format:
            raise ValueError(f"{self.format!r} is no format; use rfc3339, epoch_s, epoch_ms or a strftime pattern")
        timestamps.sent_resolution(format=self.format, digits=self.digits)
        return self


class ListEndpoint(Strict):
    """The endpoint that lists customers changed since an instant."""

    path: str = Field(description="Path below the base URL; it may hold a query string.")
    query: dict[str, str] = Field(
        default_factory=dict,
        description="Query parameters; `{since}` and `{until}` are replaced, so a filter expression works too.",
    )
    datetimes: SentDatetimes = SentDatetimes()
    records: JmesPath = Field("@", description="Where the records are in the body; `@` for the root.")
    content_types: tuple[str, ...] = Field(
        ("application/json", "text/json"), description="Media types that are parsed as JSON, besides any `+json`."
    )
    no_content_is_empty: bool = Field(default=False, description="A 204 means that there are no records.")

    @model_validator(mode="after")
    def _templates_are_known(self) -> Self:
        if _TEMPLATE.search(self.path):
            raise ValueError("`{since}` and `{until}` are replaced in list.query, not in list.path")
        for name, value in self.query.items():
            for template in _TEMPLATE.findall(re.sub(r"\$\{[^}]*\}", "", value)):
                if template not in {"{since}", "{until}"}:
                    raise ValueError(f"list.query.{name} holds {template}; only {{since}} and {{until}} are replaced")
        return self

    @model_validator(mode="after")
    def _holds_no_references(self) -> Self:
        if any(REFERENCE.search(text) for text in texts(self.model_dump())):
            raise ValueError(
                "`${NAME}` is not replaced within `list`; for a key in the query, use auth: {type: api_key, in: query}"
            )
        return self

    def query_between(self, since: datetime, until: datetime) -> dict[str, str]:
        """Return the query that asks for what changed between two instants."""
        sent = self.datetimes
        bounds = {
            "{since}": timestamps.format_sent(since, format=sent.format, digits=sent.digits, offset=sent.offset),
            "{until}": timestamps.format_sent(until, format=sent.format, digits=sent.digits, offset=sent.offset),
        }
        return {
            name: re.sub(r"\{(?:since|until)\}", lambda match: bounds[match[0]], value)
            for name, value in self.query.items()
        }

    @property
    def bounded(self) -> bool:
        """Whether the provider is told where the window ends."""
        return any("{until}" in value for value in self.query.values())

    @property
    def filtered(self) -> bool:
        """Whether the provider is told where the window starts."""
        return any("{since}" in value for value in self.query.values())


def _says_absent(status: int) -> int:
    if status != _NO_CONTENT and (status not in range(400, 500) or status in _NEVER_ABSENT):
        raise ValueError(f"{status} does not say that there is no such customer; write such as 404, 410 or 204")
    return status


class LookupEndpoint(Strict):
    """The endpoint that answers with one customer; what is in the cache and in no list is asked for here."""

    path: str = Field(
        description="Path below the base URL; `{id}` is replaced, percent-encoded. It may hold a query string."
    )
    record: JmesPath = Field("@", description="Where the record is in the body; `@` for the root.")
    absent: tuple[Annotated[int, AfterValidator(_says_absent)], ...] = Field(
        (404, 410), description="The statuses that say that there is no such customer."
    )
    no_record_is_absent: bool = Field(
        default=False,
        description="A success with null or nothing at `record` says so too, as from a list that is filtered by id.",
    )

    @model_validator(mode="after")
    def _path_is_a_template(self) -> Self:
        if _ID not in self.path or set(_TEMPLATE.findall(self.path)) != {_ID}:
            raise ValueError("lookup.path holds `{id}`, and no other template")
        if REFERENCE.search(self.path):
            raise ValueError(
                "`${NAME}` is not replaced within `lookup`; for a key in the query, use auth: "
                "{type: api_key, in: query}"
            )
        return self

    def path_of(self, customer_id: str) -> str | None:
        """Return the path that asks for a customer; None where the id would be a step in it, `.` or `..`.

        Such a step cannot be escaped: `%2E` means the same (RFC 3986, 6.2.2.2), so clients, proxies and servers take it
        away, and the answer would be that of another URL.
        """
        name = quote(customer_id, safe="")
        steps = [part.replace(_ID, name) for part in self.path.partition("?")[0].split("/") if _ID in part]
        if not {".", ".."}.isdisjoint(steps):
            return None
        return self.path.replace(_ID, name).lstrip("/")
