"""What may be shown of a URL: nothing that can hold a secret or a customer's value."""

import logging
from urllib.parse import parse_qsl, urlsplit

from urllib3.util import parse_url

_DEFAULT_PORTS = {"http": 80, "https": 443}


def redact(url: str) -> str:
    """Return `url` without userinfo and fragment, and with the names but not the values of its query."""
    parts = urlsplit(url)
    query = "&".join(f"{name}=..." for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return f"{origin(url)}{parts.path}" + (f"?{query}" if query else "")


def origin(url: str) -> str:
    r"""Return scheme, host and port of `url`; the port is written out, so that origins compare as text.

    The URL is read by the parser that also opens the connection. Another one might see another host in a link that was
    made to deceive, such as `http://evil\@good/`.

    Raises:
        ValueError: if it is no URL.
    """
    parts = parse_url(url)
    return f"{parts.scheme}://{parts.host or ''}:{parts.port or _DEFAULT_PORTS.get(parts.scheme or '', 0)}"


class QueryFilter(logging.Filter):
    """Removes paths, queries and errors' texts from what the HTTP library logs: secrets may be in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace every argument that holds more than a host, and drop the traceback."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_shown, record.args))
        record.exc_info = record.exc_text = None
        return True


def _shown(argument: object) -> object:
    if isinstance(argument, BaseException):
        return type(argument).__name__
    if isinstance(argument, str) and (argument.startswith("/") or "://" in argument):
        return "/..."
    return argument
