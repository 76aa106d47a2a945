"""Steers a running sandbox over HTTP: what the command line calls. No pipeline, no server."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import requests

_TIMEOUT_SECONDS = 5.0


class ControlError(RuntimeError):
    """The sandbox did not do what it was asked; the message says what to do next."""


def set_fault(url: str, name: str, *, lasting: timedelta | None = None, **options: str) -> dict[str, Any]:
    """Switch a fault on, until it is cleared or for a while; return its description.

    Args:
        url: the sandbox's address, such as `http://127.0.0.1:8400`.
        name: one of those that `list_faults` could show; an unknown name is answered with all of them.
        lasting: after how long it ends by itself.
        options: `probability`, `after`, `times`, and what the fault itself knows.

    Raises:
        ControlError: if there is no sandbox, or no such fault or option.
    """
    query = dict(options)
    if lasting is not None:
        query["for"] = f"{lasting.total_seconds():f}s"
    described: dict[str, Any] = _ask("POST", url, f"/faults/{quote(name, safe='')}", query=query).json()
    return described


def clear_faults(url: str, name: str | None = None) -> None:
    """Switch one fault off, or all.

    Raises:
        ControlError: if there is no sandbox, or no such fault.
    """
    _ask("DELETE", url, "/faults" if name is None else f"/faults/{quote(name, safe='')}")


def list_faults(url: str) -> list[dict[str, Any]]:
    """Return the descriptions of the faults that are switched on.

    Raises:
        ControlError: if there is no sandbox.
    """
    faults: list[dict[str, Any]] = _ask("GET", url, "/faults").json()["faults"]
    return faults


def _ask(method: str, url: str, path: str, *, query: dict[str, str] | None = None) -> requests.Response:
    address = f"{url.rstrip('/')}/_sandbox{path}"
    try:
        response = requests.request(method, address, params=query, timeout=_TIMEOUT_SECONDS)
    except requests.RequestException as error:
        raise ControlError(
            f"no sandbox answers at {url} ({type(error).__name__}); start it with python -m customer_pipeline.sandbox, "
            "or give the address of the one that runs"
        ) from error
    if response.ok:
        return response
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError) as error:
        raise ControlError(f"what answers at {url} is no sandbox (status {response.status_code})") from error
    raise ControlError(f"the sandbox refused: {message}")
