"""What each variable of the environment may hold: how it is parsed, what is expected, an example.

A parser raises a ValueError that says what is wrong and holds no secret: never the text of a URL or of a secret.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from customer_pipeline.cache.tombstones import LONGEST_RETENTION
from customer_pipeline.provider.profile import Profile, load_profile
from customer_pipeline.timestamps import now, parse_instant
from customer_pipeline.windows import floor

T = TypeVar("T")

_SERVER_SCHEMES = {"redis", "rediss", "redis+cluster", "rediss+cluster"}
_INSTANT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.0+)?(?:Z|\+00:00)")
_TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Variable(Generic[T]):
    """One variable of the environment."""

    name: str
    parse: Callable[[str], T]
    expected: str
    example: str

    def problem(self, reason: str) -> str:
        """Return the one line that says what is wrong and what to write instead."""
        return f"{self.name}: {reason}; expected {self.expected}, such as {self.example}"


def _redis_url(text: str) -> str:
    # The messages of urllib may quote a part of the URL that is a password, so they go no further.
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is no URL (special characters in user and password are percent-encoded)") from None
    if parts.scheme == "unix":
        if parts.path in {"", "/"}:
            raise ValueError("names no socket")
        return text
    if parts.scheme not in _SERVER_SCHEMES:
        raise ValueError("has another scheme")
    if not parts.hostname:
        raise ValueError("names no host")
    if port == 0:
        raise ValueError("has port 0")
    database = parts.path.removeprefix("/")
    if database and not database.isdecimal():
        raise ValueError("has a path that is no database number")
    if "cluster" in parts.scheme and database not in {"", "0"}:
        raise ValueError("names a database, but a cluster has only number 0")
    return text


def _landing_uri(text: str) -> str:
    try:
        parts = urlsplit(text)
        bucket = parts.hostname
    except ValueError:
        raise ValueError("is no URI") from None
    if " " in text:
        raise ValueError("has a space (written as %20)")
    if parts.scheme == "file":
        if parts.netloc:
            raise ValueError("has no absolute path (three slashes follow the scheme)")
        if parts.path in {"", "/"}:
            raise ValueError("names no folder")
    elif parts.scheme == "s3":
        if not bucket:
            raise ValueError("names no bucket")
    else:
        raise ValueError("has another scheme")
    return text


def _start(text: str) -> datetime:
    match = _INSTANT.fullmatch(text)
    if not match:
        raise ValueError(f"is {text!r}")
    try:
        start = parse_instant(f"{match[1]}.000000Z")
    except ValueError:
        raise ValueError(f"is {text!r}, which no calendar has") from None
    if start != floor(start):
        raise ValueError(f"is {text!r}, which is not on a whole ten minutes")
    if start > now():
        raise ValueError(f"is {text!r}, which lies in the future")
    return start


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ValueError(f"is {text!r}, which is not absolute")
    if not path.is_dir():
        raise ValueError(f"is {text!r}, which is no existing folder")
    return path


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError(f"is {text!r}")
    return text


def _count(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text) or text.startswith("0"):
        raise ValueError(f"is {text!r}")
    return int(text)


def _retention(text: str) -> timedelta:
    retention = timedelta(days=_count(text))
    if retention > LONGEST_RETENTION:
        raise ValueError(f"is {text!r}, which is longer than deletions are remembered")
    return retention


def _http_url(text: str) -> str:
    # As above: no message of urllib, which may quote a password.
    try:
        parts = urlsplit(text)
        is_usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError("is no URL") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("has another scheme")
    if not is_usable:
        raise ValueError("names no host or port 0")
    if parts.query or parts.fragment:
        raise ValueError("has a query or a fragment")
    return text.rstrip("/")


def _webhook_url(text: str) -> str:
    # All of it is secret: who knows the address may write there.
    if not text.isprintable() or " " in text:
        raise ValueError("has white space or a control character")
    try:
        parts = urlsplit(text)
        is_usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError("is no URL") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("has another scheme")
    if not is_usable:
        raise ValueError("names no host or port 0")
    return text


def _topic_arn(text: str) -> str:
    if not _TOPIC_ARN.fullmatch(text):
        raise ValueError(f"is {text!r}")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ValueError(f"is {text!r}, which is not absolute")
    if path.is_dir():
        raise ValueError(f"is {text!r}, which is a folder")
    return path


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip() for part in text.split(","))
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"has {origin!r}, which is no origin")
    return origins


def _secret(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("has a line break, a control character or white space around it")
    return text


PROVIDER_PROFILE: Variable[Profile] = Variable(
    "PROVIDER_PROFILE",
    load_profile,
    expected="the path of a profile, or the name of a shipped one",
    example="profiles/provider.yaml or sandbox",
)
REDIS_URL: Variable[str] = Variable(
    "REDIS_URL",
    _redis_url,
    expected="a redis://, rediss://, redis+cluster://, rediss+cluster:// or unix:// URL",
    example="rediss://user:password@cache.example.org:6380/0",
)
LANDING_URI: Variable[str] = Variable(
    "LANDING_URI",
    _landing_uri,
    expected="a file:// URI with an absolute path, or an s3:// URI with a bucket",
    example="file:///srv/landing or s3://bucket/landing",
)
START: Variable[datetime] = Variable(
    "CUSTOMER_PIPELINE_START",
    _start,
    expected="an RFC 3339 instant in UTC, on a whole ten minutes, not in the future",
    example="2026-11-01T00:00:00Z",
)
DAGSTER_HOME: Variable[Path] = Variable(
    "DAGSTER_HOME",
    _folder,
    expected="the absolute path of an existing folder",
    example="/var/lib/customer_pipeline",
)
PREFIX: Variable[str] = Variable(
    "CUSTOMER_PIPELINE_PREFIX",
    _prefix,
    expected="a letter or digit, then letters, digits and any of _ . : -",
    example="customer",
)
LANDING_RETENTION: Variable[timedelta] = Variable(
    "LANDING_RETENTION_DAYS",
    _retention,
    expected=f"a whole number of days from 1 to {LONGEST_RETENTION.days}",
    example="30",
)
CHANGES_KEPT: Variable[int] = Variable(
    "CHANGES_KEPT", _count, expected="a whole number from 1 to 999999999", example="100000"
)
WEBSERVER_URL: Variable[str] = Variable(
    "DAGSTER_WEBSERVER_URL",
    _http_url,
    expected="the http:// or https:// URL of the Dagster UI",
    example="http://127.0.0.1:3000",
)
ALERT_SLACK_WEBHOOK_URL: Variable[str] = Variable(
    "ALERT_SLACK_WEBHOOK_URL",
    _webhook_url,
    expected="the http:// or https:// URL of an incoming webhook of Slack",
    example="https://hooks.slack.com/services/T00/B00/secret",
)
ALERT_WEBHOOK_URL: Variable[str] = Variable(
    "ALERT_WEBHOOK_URL",
    _webhook_url,
    expected="the http:// or https:// URL of a receiver of JSON",
    example="https://alerts.example.org/hook?key=secret",
)
ALERT_SNS_TOPIC_ARN: Variable[str] = Variable(
    "ALERT_SNS_TOPIC_ARN",
    _topic_arn,
    expected="the ARN of a topic of AWS SNS",
    example="arn:aws:sns:eu-central-2:123456789012:on-call",
)


API_KEYS_FILE: Variable[Path] = Variable(
    "API_KEYS_FILE",
    _file,
    expected="the absolute path of a file, which need not exist",
    example="/var/lib/customer_pipeline/api-keys.json",
)
API_REQUESTS_PER_MINUTE: Variable[int] = Variable(
    "API_REQUESTS_PER_MINUTE",
    _count,
    expected="a whole number from 1",
    example="6000",
)
API_STREAMS: Variable[int] = Variable(
    "API_STREAMS",
    _count,
    expected="a whole number from 1",
    example="1000",
)
API_STALE_AFTER: Variable[timedelta] = Variable(
    "API_STALE_AFTER_MINUTES",
    lambda text: timedelta(minutes=_count(text)),
    expected="a whole number of minutes from 1",
    example="25",
)
API_CORS_ORIGINS: Variable[tuple[str, ...]] = Variable(
    "API_CORS_ORIGINS",
    _origins,
    expected="origins in lower case, separated by commas",
    example="https://app.example.org,http://localhost:5173",
)


def secret(name: str, *, profile: Profile) -> Variable[str]:
    """Return the variable that a profile refers to as `${NAME}`."""
    return Variable(
        name, _secret, expected=f"the value that the profile {profile.name} refers to", example=f"export {name}=..."
    )
