"""The dates of HTTP headers."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def parse_http_date(text: str) -> datetime | None:
    """Parse the value of a `Date` or `Retry-After` header; None when it is no date, such as a number of seconds.

    The three forms of RFC 9110 are read: IMF-fixdate and the obsolete forms of RFC 850 and asctime. HTTP dates are in
    UTC, so one without a zone is too.
    """
    try:
        instant = parsedate_to_datetime(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
