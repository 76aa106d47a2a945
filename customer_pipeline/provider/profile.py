"""The profile: one YAML file that describes one provider. The schema, its loading, and its errors."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from customer_pipeline import timestamps
from customer_pipeline.customers.mapping import JmesPath
from customer_pipeline.customers.mapping import Mapping as CustomerMapping
from customer_pipeline.provider import strict_yaml
from customer_pipeline.provider.limits import Limits, Retry, Timeouts
from customer_pipeline.provider.references import (
    REFERENCE,
    ProfileError,
    SecretReference,
    resolve,
    resolve_base_url,
    shown_base_url,
    texts,
)
from customer_pipeline.provider.styles import Pagination
from customer_pipeline.provider.values import Duration, HeaderName, Instant, Strict, header_name

__all__ = ["Duration", "Profile", "ProfileError", "load_profile", "resolve", "shipped_profiles"]

_CREDENTIAL_HEADERS = re.compile(r"authorization|cookie|.*(api-?key|token|secret|password).*", re.IGNORECASE)
_TEMPLATE = re.compile(r"\{[A-Za-z_]+\}")


class NoAuth(Strict):
    """No credentials."""

    type: Literal["none"]


class BearerAuth(Strict):
    """`Authorization: Bearer <token>`."""

    type: Literal["bearer"]
    token: SecretReference


class ApiKeyAuth(Strict):
    """A key in a header or a query parameter."""

    type: Literal["api_key"]
    name: str = Field(min_length=1, description="Name of the header or query parameter.")
    place: Literal["header", "query"] = Field("header", alias="in")
    value: SecretReference

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _name_can_be_sent(self) -> Self:
        if self.place == "header":
            header_name(self.name)
        return self


class BasicAuth(Strict):
    """HTTP basic authentication."""

    type: Literal["basic"]
    username: str
    password: SecretReference


Auth = Annotated[NoAuth | BearerAuth | ApiKeyAuth | BasicAuth, Field(discriminator="type")]


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


class Snapshot(Strict):
    """How all customers are walked: the first load, and what reconciliation compares the cache with."""

    enabled: bool = Field(default=True, description="Whether the list can be walked from the beginning.")
    earliest: Instant = Field(
        datetime(1970, 1, 1, tzinfo=UTC), description="No customer has an older `updated_at`; an RFC 3339 instant."
    )


class Profile(CustomerMapping):
    """One provider."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9_-]*$")
    base_url: str = Field(pattern=r"^(https?://|\$\{)", description="May hold `${NAME}` references.")
    auth: Auth = NoAuth(type="none")
    headers: dict[HeaderName, str] = Field(
        default_factory=dict, description="Extra headers; may hold `${NAME}` references."
    )
    list: ListEndpoint
    pagination: Pagination
    lookback: Duration = timedelta(minutes=5)
    timeouts: Timeouts = Timeouts()
    retry: Retry = Retry()
    limits: Limits = Limits()
    snapshot: Snapshot = Snapshot()
    request_id_header: HeaderName = "X-Request-Id"
    future_margin: Duration = Field(
        timedelta(minutes=5), description="How far `updated_at` may lie ahead of the provider's clock."
    )

    @model_validator(mode="after")
    def _walk_is_possible(self) -> Self:
        if self.pagination.order == "ascending" and not self.list.filtered:
            raise ValueError("pagination.order: ascending needs `{since}` in list.query, to continue by value")
        return self

    @model_validator(mode="after")
    def _turns_come_in_time(self) -> Self:
        self.limits.require_patience(self.retry)
        return self

    @field_validator("base_url")
    @classmethod
    def _base_url_is_one(cls, value: str) -> str:
        if not REFERENCE.search(value):
            resolve_base_url(value, {})
        return value

    @field_validator("headers")
    @classmethod
    def _credentials_are_references(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if _CREDENTIAL_HEADERS.fullmatch(name.removeprefix("Proxy-")) and not REFERENCE.search(text):
                raise ValueError(f"the header {name} holds a secret; put it into the environment and write ${{NAME}}")
        return value

    def resolved_base_url(self, environment: Mapping[str, str]) -> str:
        """Return the base URL with its references replaced, without a slash at its end.

        Raises:
            ProfileError: if a variable is missing, or the result is no URL to put a path behind.
        """
        return resolve_base_url(self.base_url, environment)

    def shown_base_url(self, environment: Mapping[str, str]) -> str:
        """Return what may be shown of the base URL."""
        return shown_base_url(self.base_url, environment)

    def secret_names(self) -> frozenset[str]:
        """Return the names of the environment variables that the profile refers to."""
        return frozenset(name for text in texts(self.model_dump()) for name in REFERENCE.findall(text))


def shipped_profiles() -> dict[str, Path]:
    """Return the profiles that come with the package, by name."""
    folder = resources.files("customer_pipeline.provider") / "profiles"
    return {Path(str(entry)).stem: Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(".yaml")}


def load_profile(name_or_path: str | os.PathLike[str]) -> Profile:
    """Load a shipped profile by its name, or any profile by its path.

    Raises:
        ProfileError: naming the file, the field and what is expected there.
    """
    shipped = shipped_profiles()
    path = shipped.get(os.fspath(name_or_path), Path(name_or_path))
    try:
        content = strict_yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProfileError(
            f"{path}: there is no such profile; give a path, or the name of a shipped one: {', '.join(sorted(shipped))}"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ProfileError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(content, dict):
        raise ProfileError(f"{path}: a profile is a mapping at the top level, not {type(content).__name__}")
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, line['loc'])) or 'profile'}: {line['msg']}" for line in error.errors()]
        raise ProfileError("\n".join(lines)) from None
