"""One POST of a JSON body: one try, bounded waits, no redirect, and errors that hold nothing of the address."""

import logging
from datetime import timedelta

import orjson
import requests
import urllib3

from customer_pipeline.alerts.errors import AlertNotDelivered
from customer_pipeline.provider.redaction import QueryFilter

CONNECT_TIMEOUT = timedelta(seconds=3)
ANSWER_TIMEOUT = timedelta(seconds=5)

_QUERY_FILTER = QueryFilter()
_CHATTY_LOGGERS = ("connection", "connectionpool", "poolmanager", "response", "util.retry")


class _Session(requests.Session):
    """A session that leaves redirects alone: to prepare one, requests would read the whole answer."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 -- the name is requests'
        return None


def post(url: str, body: object, *, channel: str) -> None:
    """Send `body` to `url`. Of the answer only the status is looked at.

    Raises:
        AlertNotDelivered: without an answer of 2xx.
    """
    for name in _CHATTY_LOGGERS:
        logging.getLogger(f"urllib3.{name}").addFilter(_QUERY_FILTER)
    failed = None
    try:
        with (
            _Session() as session,
            session.post(
                url,
                data=orjson.dumps(body),
                headers={"Content-Type": "application/json"},
                timeout=(CONNECT_TIMEOUT.total_seconds(), ANSWER_TIMEOUT.total_seconds()),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            if response.status_code not in range(200, 300):
                failed = f"it answered {response.status_code}"
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        failed = _kind(error)
    # Raised out here, so that the library's error is no part of ours: its message holds the address.
    if failed:
        raise AlertNotDelivered(channel, failed)


def _kind(error: Exception) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return "the TLS handshake failed"
    if isinstance(error, requests.ConnectionError):
        return "the connection was refused or cut"
    return type(error).__name__
