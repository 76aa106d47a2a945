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

from customer_pipeline.customers.mapping import Mapping as CustomerMapping
from customer_pipeline.provider import strict_yaml
from customer_pipeline.provider.endpoints import ListEndpoint, LookupEndpoint
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
    lookup: LookupEndpoint | None = None
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
