"""A sandbox that runs: uvicorn in a thread, on a free port, reached over real HTTP."""

import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import orjson
import requests

from customer_pipeline import timestamps
from customer_pipeline.sandbox.app import DEFAULT_TOKEN, create_app
from customer_pipeline.sandbox.server import build_server
from customer_pipeline.sandbox.world import Settings
from customer_pipeline_tests.servers import free_port, wait_until

QUIET = Settings(customers=1200, changes_per_minute=0)


class RunningSandbox:
    """The sandbox's application under its own server."""

    def __init__(
        self,
        settings: Settings = QUIET,
        *,
        state: str = ":memory:",
        clock: Callable[[], datetime] = timestamps.now,
        http: str = "auto",
    ) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.session = requests.Session()
        self._server = build_server(create_app(settings, state=state, clock=clock), port=port)
        self._server.config.http = http
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self._server.started, what="the start of the sandbox")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()
        self._server.should_exit = True
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.session.get(f"{self.url}{path}", params=query, timeout=5, allow_redirects=False)

    def control(self, method: str, path: str, **arguments: Any) -> requests.Response:
        response = self.session.request(method, f"{self.url}/_sandbox{path}", timeout=5, **arguments)
        response.raise_for_status()
        return response

    def fault(self, name: str, **query: str | float) -> None:
        self.control("POST", f"/faults/{name}", params=query)

    def clear(self) -> None:
        self.control("DELETE", "/faults")

    def truth(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.control("GET", "/customers").content.splitlines()]


def bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {DEFAULT_TOKEN}"}


def walk(sandbox: RunningSandbox, style: str, *, most_pages: int = 50, **query: Any) -> list[dict[str, Any]]:
    """Walk a list as a simple client would, page after page."""
    records: list[dict[str, Any]] = []
    url, parameters = f"{sandbox.url}/none/{style}/customers", dict(query)
    for number in range(1, most_pages + 1):
        if style == "page_number":
            parameters["page"] = number
        if style == "offset":
            parameters["offset"] = len(records)
        response = sandbox.session.get(url, params=parameters, timeout=5)
        response.raise_for_status()
        body = response.json()
        page = body if isinstance(body, list) else body["items"]
        records += page
        if style in {"next_link", "link_header", "next_header"}:
            found = body["next"] if style == "next_link" else response.links.get("next", {}).get("url")
            url, parameters = response.headers.get("X-Next") or found or "", {}
            more = bool(url)
        elif style == "cursor":
            parameters["cursor"] = body["next_cursor"] or ""
            more = bool(body["next_cursor"])
        elif style == "last_id":
            parameters["starting_after"] = page[-1]["id"] if page else ""
            more = body["has_more"]
        else:
            more = bool(page)
        if not more:
            break
    return records


def until(condition: Callable[[], bool]) -> None:
    wait_until(condition, what="what the test waits for", timeout=5)
