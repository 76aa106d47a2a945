"""The only package that reads the clock, parses or formats a datetime. Aware UTC only.

Here meet the one form of the cache contract (`contract`), the form that a provider is sent (`sending`), the forms that
the sandbox serves (`rendering`), and the many forms that providers answer with (`parsing`). Nothing outside it calls
`datetime.now`, `strftime`, `strptime` or `fromisoformat` (the partition keys of `windows.py` apart).
"""

from customer_pipeline.timestamps.contract import (
    CONTRACT_LENGTH,
    EARLIEST_PLAUSIBLE,
    epoch_milliseconds,
    format_instant,
    format_instants,
    now,
    parse_instant,
)
from customer_pipeline.timestamps.http import parse_http_date
from customer_pipeline.timestamps.parsing import parse_dates, parse_instants
from customer_pipeline.timestamps.rendering import (
    epoch_microseconds,
    format_http_date,
    format_local,
    format_rfc2822,
    from_epoch_microseconds,
    parse_rfc3339,
)
from customer_pipeline.timestamps.sending import ceil_sent, floor_sent, format_sent, sent_resolution

__all__ = [
    "CONTRACT_LENGTH",
    "EARLIEST_PLAUSIBLE",
    "ceil_sent",
    "epoch_microseconds",
    "epoch_milliseconds",
    "floor_sent",
    "format_http_date",
    "format_instant",
    "format_instants",
    "format_local",
    "format_rfc2822",
    "format_sent",
    "from_epoch_microseconds",
    "now",
    "parse_dates",
    "parse_http_date",
    "parse_instant",
    "parse_instants",
    "parse_rfc3339",
    "sent_resolution",
]
