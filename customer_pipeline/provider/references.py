"""`${NAME}` references to the environment: the only way for a secret into a profile, and what may be shown of them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field
from urllib3.util import parse_url

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SecretReference = Annotated[
    str,
    Field(pattern=r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$", description="A secret's environment variable: `${NAME}`."),
]
_UNUSABLE_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")


class ProfileError(ValueError):
    """A profile that cannot be used; the message names the file, the field and the fix."""


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """Replace every `${NAME}` in `text` by the environment's value.

    Raises:
        ProfileError: if a variable is missing, empty, or begins or ends with white space; the message names it.
    """

    def value(match: re.Match[str]) -> str:
        if not (found := environment.get(match[1])):
            raise ProfileError(f"the environment variable {match[1]} is not set; the profile refers to it")
        if found != found.strip():
            raise ProfileError(
                f"the environment variable {match[1]} begins or ends with white space or a line break; remove it"
            )
        return found

    return REFERENCE.sub(value, text)


def resolve_base_url(text: str, environment: Mapping[str, str]) -> str:
    """Resolve a base URL, and check it.

    Raises:
        ProfileError: if a variable is missing, or the result is no URL to put a path behind. It does not show the URL.
    """
    url = resolve(text, environment).rstrip("/")
    if reason := _unusable(url):
        names = ", ".join(REFERENCE.findall(text))
        where = f"; check the environment variable(s) {names}" if names else ""
        raise ProfileError(f"base_url {reason}; write https://host[:port][/path]{where}")
    return url


def shown_base_url(text: str, environment: Mapping[str, str]) -> str:
    """Return what may be shown of a resolved base URL: a reference in its path may be a secret."""
    leading = REFERENCE.match(text)
    start = resolve(leading[0], environment) if leading else ""
    shown = start + REFERENCE.sub("...", text[len(leading[0]) if leading else 0 :])
    parts = parse_url(resolve(text, environment))
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.host}{port}{urlsplit(shown).path}".rstrip("/")


def _unusable(url: str) -> str | None:
    if _UNUSABLE_IN_URL.search(url):
        return "holds white space, control characters or a backslash"
    try:
        parts = parse_url(url)
    except ValueError:
        return "is no URL"
    if parts.scheme not in {"http", "https"} or not parts.host:
        return "is no URL of a host"
    if parts.auth:
        return "holds a user name or password; set auth to basic instead"
    if parts.query is not None or parts.fragment is not None:
        return "holds a query or fragment"
    return None


def texts(value: Any) -> list[str]:
    """Return every text within nested mappings and lists."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts(item)]
    return []
