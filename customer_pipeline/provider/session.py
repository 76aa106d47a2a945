"""One HTTP session: its credentials, its quiet loggers, and what the errors of the HTTP library mean."""

import logging
from collections.abc import Mapping

import requests
import urllib3

from customer_pipeline.provider.auth import Credentials
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.redaction import QueryFilter

_QUERY_FILTER = QueryFilter()
_CHATTY_LOGGERS = ("connection", "connectionpool", "poolmanager", "response", "util.retry")


class _Session(requests.Session):
    """A session that leaves redirects alone: to prepare one, requests would read its body whole, whatever its size."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 -- the name is requests'
        return None


def open_session(profile: Profile, environment: Mapping[str, str]) -> requests.Session:
    """Return a session with the profile's credentials, whose loggers tell no query.

    Raises:
        ProfileError: if an environment variable that the profile names is not set, or makes no usable header.
    """
    session = _Session()
    session.auth = Credentials(profile, environment)
    session.headers["Accept"] = "application/json"
    for name in _CHATTY_LOGGERS:
        logging.getLogger(f"urllib3.{name}").addFilter(_QUERY_FILTER)
    return session


def kind(error: Exception) -> str:
    """Return what went wrong, in words that hold no part of the URL."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection within timeouts.connect"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no whole answer within the timeouts"
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return "the TLS handshake failed"
    if isinstance(error, requests.ConnectionError):
        return "the connection was refused or cut"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the answer broke off"
    return type(error).__name__
