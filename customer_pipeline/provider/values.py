"""Values that profiles are made of: strict models, durations with a unit, names of headers."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Strict(BaseModel):
    """A frozen model without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"{value!r} is no duration; write a number with a unit, such as 500ms, 30s, 5m or 1h")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise ValueError(f"{value!r} is longer than any duration") from None


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("the duration must be longer than 0s")
    return value


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def header_name(name: str) -> str:
    """Return `name` if it can be the name of an HTTP header.

    Raises:
        ValueError: if it can't.
    """
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an HTTP header")
    return name


Duration = Annotated[timedelta, Field(ge=timedelta(0)), BeforeValidator(_duration, json_schema_input_type=str)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
HeaderName = Annotated[str, AfterValidator(header_name)]
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
