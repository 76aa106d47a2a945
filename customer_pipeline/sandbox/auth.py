"""The five ways to show the sandbox's one secret."""

import base64
import secrets
from collections.abc import Mapping
from enum import StrEnum

USERNAME = "sandbox"
KEY_HEADER = "X-Api-Key"
KEY_PARAMETER = "api_key"


class Auth(StrEnum):
    """The ways, as they stand in the path."""

    NONE = "none"
    BEARER = "bearer"
    API_KEY_HEADER = "api-key-header"
    API_KEY_QUERY = "api-key-query"
    BASIC = "basic"


def is_allowed(auth: Auth, *, headers: Mapping[str, str], query: Mapping[str, str], token: str) -> bool:
    """Say whether a request shows the secret in the way asked for."""
    if auth is Auth.NONE:
        return True
    if auth is Auth.API_KEY_QUERY:
        shown, expected = query.get(KEY_PARAMETER, ""), token
    elif auth is Auth.API_KEY_HEADER:
        shown, expected = headers.get(KEY_HEADER, ""), token
    else:
        shown = headers.get("Authorization", "")
        basic = base64.b64encode(f"{USERNAME}:{token}".encode()).decode("ascii")
        expected = f"Bearer {token}" if auth is Auth.BEARER else f"Basic {basic}"
    return secrets.compare_digest(shown.encode(), expected.encode())
