"""Configuration: read from the environment alone, and refused as a whole when any part is missing or malformed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self, TypeVar
from urllib.parse import urlsplit

from customer_pipeline.cache.changes import DEFAULT_CHANGES_KEPT
from customer_pipeline.provider.profile import Profile, ProfileError, resolve
from customer_pipeline.variables import (
    ALERT_SLACK_WEBHOOK_URL,
    ALERT_SNS_TOPIC_ARN,
    ALERT_WEBHOOK_URL,
    CHANGES_KEPT,
    DAGSTER_HOME,
    LANDING_RETENTION,
    LANDING_URI,
    PREFIX,
    PROVIDER_PROFILE,
    REDIS_URL,
    START,
    WEBSERVER_URL,
    Variable,
    secret,
)

T = TypeVar("T")

DEFAULT_PREFIX = "customer"
DEFAULT_RETENTION = timedelta(days=30)


class SettingsError(ValueError):
    """The environment cannot be used; the message has one line for every variable that is missing or malformed."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(["the environment cannot be used:", *(f"  {problem}" for problem in problems)]))


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Settings:
    """Everything that differs between two deployments.

    Attributes:
        profile: the provider.
        secrets: the values that the profile refers to, by name.
        redis_url: the cache.
        landing_uri: the landing store.
        start: where the first window starts.
        prefix: what the cache's keys start with.
        landing_retention: for how long after its end a window is kept in the landing store.
        changes_kept: of how many changes the stream in the cache tells, about.
    """

    profile: Profile
    secrets: Mapping[str, str]
    redis_url: str
    landing_uri: str
    start: datetime
    prefix: str
    landing_retention: timedelta = DEFAULT_RETENTION
    changes_kept: int = DEFAULT_CHANGES_KEPT

    def __repr__(self) -> str:
        return (
            f"Settings(profile={self.profile.name!r}, secrets={sorted(self.secrets)}, "
            f"redis_url={redacted(self.redis_url)!r}, landing_uri={redacted(self.landing_uri)!r}, "
            f"start={self.start!r}, prefix={self.prefix!r}, landing_retention={self.landing_retention!r}, "
            f"changes_kept={self.changes_kept!r})"
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read every variable. An empty one counts as missing.

        Raises:
            SettingsError: naming each variable that is missing or malformed, with what is expected and an example.
        """
        reader = Reader(environ)
        profile = reader.required(PROVIDER_PROFILE)
        secrets = reader.secrets(profile) if profile else {}
        redis_url = reader.required(REDIS_URL)
        landing_uri = reader.required(LANDING_URI)
        start = reader.required(START)
        reader.optional(DAGSTER_HOME)
        reader.optional(WEBSERVER_URL)
        for channel in (ALERT_SLACK_WEBHOOK_URL, ALERT_WEBHOOK_URL, ALERT_SNS_TOPIC_ARN):
            reader.optional(channel)
        prefix = reader.optional(PREFIX) or DEFAULT_PREFIX
        changes_kept = reader.optional(CHANGES_KEPT) or DEFAULT_CHANGES_KEPT
        landing_retention = reader.optional(LANDING_RETENTION) or DEFAULT_RETENTION
        if reader.problems or profile is None or redis_url is None or landing_uri is None or start is None:
            raise SettingsError(reader.problems)
        return cls(
            profile=profile,
            secrets=secrets,
            redis_url=redis_url,
            landing_uri=landing_uri,
            start=start,
            prefix=prefix,
            landing_retention=landing_retention,
            changes_kept=changes_kept,
        )


def redacted(url: str) -> str:
    """Return `url` without its password and without the values of its query."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    query = "&".join(f"{pair.partition('=')[0]}=***" for pair in parts.query.split("&") if pair)
    return f"{parts.scheme}://{user}{colon and ':***'}{at}{host}{parts.path}{query and f'?{query}'}"


class Reader:
    """Reads variables and collects what is wrong with them, in `problems`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def required(self, variable: Variable[T]) -> T | None:
        """Return the parsed value, or None after noting the problem."""
        if not self.environ.get(variable.name):
            self.problems.append(variable.problem("is not set"))
        return self.optional(variable)

    def optional(self, variable: Variable[T]) -> T | None:
        """Return the parsed value; or None when it is not set, or after noting the problem."""
        text = self.environ.get(variable.name)
        if not text:
            return None
        try:
            return variable.parse(text)
        except ProfileError as error:
            self.problems += [f"{variable.name}: {line.strip()}" for line in str(error).splitlines()]
        except ValueError as error:
            self.problems.append(variable.problem(str(error)))
        return None

    def secrets(self, profile: Profile) -> dict[str, str]:
        """Return the values that the profile refers to, and look at what they make of its base URL."""
        read = {name: self.required(secret(name, profile=profile)) for name in sorted(profile.secret_names())}
        found = {name: value for name, value in read.items() if value is not None}
        if len(found) == len(read) and not _is_http(resolve(profile.base_url, found)):
            self.problems.append(PROVIDER_PROFILE.problem("base_url becomes no http:// or https:// URL"))
        return found


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
