"""What may be shown of a URL: nothing that can hold a secret or a customer's value."""

import logging
from urllib.parse import parse_qsl, urlsplit


def redact(url: str) -> str:
    """Return `url` without userinfo and fragment, and with the names but not the values of its query."""
    parts = urlsplit(url)
    query = "&".join(f"{name}=..." for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return f"{origin(url)}{parts.path}" + (f"?{query}" if query else "")


def origin(url: str) -> str:
    """Return scheme, host and port of `url`; the port is written out, so that origins compare as text."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname or ''}:{port}"


class QueryFilter(logging.Filter):
    """Removes queries from what the HTTP library logs at debug level: an API key may be in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut every text argument at its question mark."""
        if isinstance(record.args, tuple):
            record.args = tuple(item.split("?")[0] if isinstance(item, str) else item for item in record.args)
        return True
