"""Credentials: put on each request to the provider's own origin, shown nowhere."""

import base64
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase

from customer_pipeline.provider.profile import ApiKeyAuth, BasicAuth, BearerAuth, Profile, ProfileError, resolve


class Credentials(AuthBase):
    """The headers and query parameters that a profile puts on every request.

    It is set on the session even when empty: otherwise requests would look for credentials in a `.netrc` file.

    Raises:
        ProfileError: if an environment variable that the profile names is not set.
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
        request.headers.update(self._headers)
        if self._query and request.url:
            parts = urlsplit(request.url)
            query = [(name, value) for name, value in parse_qsl(parts.query, True) if name not in self._query]  # noqa: FBT003
            request.url = urlunsplit(parts._replace(query=urlencode([*query, *self._query.items()])))
        return request

    def __repr__(self) -> str:
        return "Credentials(...)"
