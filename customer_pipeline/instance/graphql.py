"""Questions to a Dagster webserver and their answers: GraphQL over HTTP, with bounded waits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import requests

from customer_pipeline.settings import redacted

_HTTP_OK = 200


class WebserverError(Exception):
    """The webserver refused, or its code location is not loaded; the message says which."""


class WebserverUnreachable(WebserverError):  # noqa: N818 -- says what is the case
    """The webserver does not answer, or something else answers at its address."""


class GraphQL:
    """A webserver's GraphQL.

    Args:
        url: of the webserver, with its path prefix where it has one; user and password in it are sent.
        timeout: the longest silence that is waited for.
    """

    def __init__(self, url: str, *, timeout: timedelta = timedelta(minutes=2)) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout

    def link(self, path: str) -> str:
        """Return the address of a page of the UI, for a person to open."""
        return f"{redacted(self.url)}{path}"

    def answers(self) -> bool:
        """Return whether the UI is up."""
        try:
            return requests.get(f"{self.url}/server_info", timeout=2).ok
        except requests.RequestException:
            return False

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the data of the answer.

        Raises:
            WebserverUnreachable: if there is no answer, or not one of GraphQL.
            WebserverError: if the answer is an error.
        """
        answer = self._post({"query": query, "variables": variables or {}})
        errors = answer.get("errors") or []
        if errors:
            raise WebserverError("; ".join(str(error.get("message")) for error in errors))
        content: dict[str, Any] = answer["data"]
        for name, value in content.items():
            if isinstance(value, dict) and "message" in value:
                raise WebserverError(f"{name}: {value['message'].strip()}")
        return content

    def _post(self, question: Mapping[str, Any]) -> dict[str, Any]:
        where = f"the webserver at {redacted(self.url)} does not answer"
        try:
            response = requests.post(f"{self.url}/graphql", json=question, timeout=self._timeout.total_seconds())
        except requests.RequestException as error:
            raise WebserverUnreachable(f"{where}: {_reason(error)}") from error
        try:
            answer = response.json()
        except requests.JSONDecodeError:
            answer = None
        if isinstance(answer, dict) and ("errors" in answer or isinstance(answer.get("data"), dict)):
            return answer
        told = f"status {response.status_code}, " if response.status_code != _HTTP_OK else ""
        kind = response.headers.get("Content-Type", "no content type")
        raise WebserverUnreachable(f"{where} as Dagster does ({told}{kind})")


def _reason(error: requests.RequestException) -> str:
    """Return what happened, without what the client was doing then."""
    match error:
        case requests.Timeout():
            return "it took too long"
        case requests.exceptions.SSLError():
            return "TLS cannot be agreed upon"
        case requests.ConnectionError():
            return "the connection is refused or was lost"
    return type(error).__name__
