"""Credentials: put on each request to the provider's own origin, shown nowhere."""

import base64
from collections.abc import Mapping
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase

from customer_pipeline.provider.profile import ApiKeyAuth, BasicAuth, BearerAuth, Profile, ProfileError, resolve


class Credentials(AuthBase):
    """The headers and query parameters that a profile puts on every request.

    It is set on the session even when empty: otherwise requests would look for credentials in a `.netrc` file.

    Raises:
        ProfileError: if an environment variable that the profile names is not set, or can't be sent as it is.
    """

    def __init__(self, profile: Profile, environment: Mapping[str, str]) -> None:
        self._headers = {name: resolve(value, environment) for name, value in profile.headers.items()}
        self._query: dict[str, str] = {}
        match profile.auth:
            case BearerAuth(token=token):
                self._headers["Authorization"] = f"Bearer {resolve(token, environment)}"
            case BasicAuth(username=username, password=password):
                pair = f"{resolve(username, environment)}:{resolve(password, environment)}"
                self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
            case ApiKeyAuth(name=name, place=place, value=value):
                target = self._headers if place == "header" else self._query
                target[name] = resolve(value, environment)
        for name, value in self._headers.items():
            if not (value.isascii() and value.isprintable()):
                raise ProfileError(
                    f"the value of header {name} holds a line break or a character outside ASCII; "
                    "check the environment variable that the profile names for it"
                )

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the credentials on one request."""
        request.headers.update(self._headers)
        if self._query and request.url:
            # The rest of the query stays as it is, to the byte: it may be a provider's cursor.
            parts = urlsplit(request.url)
            kept = [part for part in parts.query.split("&") if part and _name(part) not in self._query]
            request.url = urlunsplit(parts._replace(query="&".join([*kept, urlencode(self._query)])))
        return request

    def __repr__(self) -> str:
        return "Credentials(...)"


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0])
