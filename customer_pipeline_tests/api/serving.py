"""The API in a process of its own, and what tests put into its cache."""

import json
import os
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import requests

from customer_pipeline.api import key_file
from customer_pipeline.api.credentials import Scope, make
from customer_pipeline.api.examples import CUSTOMER
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.customers.model import CustomerDocument
from customer_pipeline.timestamps import epoch_milliseconds, now, parse_instant
from customer_pipeline_tests.servers import ServerProcess, free_port

KEYS = CacheKeys()


class ApiServer(ServerProcess):
    """`customer-pipeline api` before a cache, with a key that may do everything."""

    def __init__(self, folder: Path, redis_url: str, **environ: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.keys_file = folder / "api-keys.json"
        port = free_port()
        super().__init__(
            [sys.executable, "-m", "customer_pipeline.cli", "api", "--port", str(port)],
            port,
            log=folder / "api.log",
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("API_")},
                "REDIS_URL": redis_url,
                "API_KEYS_FILE": str(self.keys_file),
                "API_REQUESTS_PER_MINUTE": "100000000",
                **environ,
            },
        )
        self.key = self.add_key(*Scope)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add_key(self, *scopes: Scope, name: str = "test", expires_at: datetime | None = None) -> str:
        key, text = make(name, scopes=frozenset(scopes), at=now(), expires_at=expires_at)
        with key_file.changed(self.keys_file) as keys:
            keys.append(key)
        return text

    def get(
        self, path: str, *, key: str | None = None, headers: dict[str, str] | None = None, **query: Any
    ) -> requests.Response:
        """Ask with the key that may do everything, or another one; an empty one is not sent."""
        sent = {"Authorization": f"Bearer {self.key if key is None else key}"} if key != "" else {}
        return requests.get(
            f"{self.url}{path}", headers={**sent, **(headers or {})}, params=query, timeout=10, allow_redirects=False
        )

    def log_text(self) -> str:
        return self.log.read_text()


def document(customer_id: str, *, updated_at: str = "2026-11-23T07:50:00.000000Z", **members: Any) -> bytes:
    """A whole document."""
    content = {**CUSTOMER, "id": customer_id, "updated_at": updated_at, **members}
    content["version"] = f"{updated_at}/2026-11-23T08:00:01.250000Z"
    CustomerDocument.model_validate(content)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def live(customer_id: str, **members: Any) -> State:
    body = document(customer_id, **members)
    version = orjson.loads(body)["version"]
    return State(customer_id, version, epoch_milliseconds(parse_instant(version[:27])), body)


def deleted(customer_id: str, *, updated_at: str = "2026-11-23T07:50:00.000000Z") -> State:
    version = f"{updated_at}/2026-11-23T08:00:01.250000Z"
    return State(customer_id, version, epoch_milliseconds(parse_instant(updated_at)), None)


def put(connection: Connection, customer_id: str, **members: Any) -> bytes:
    """Publish a customer; return the document."""
    state = live(customer_id, **members)
    Publisher(connection).publish([state])
    assert state.document is not None
    return state.document


def ids_of(documents: Iterable[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in documents]
