"""Datasette over a SQLite file: started as its package starts it, with a token of datasette-auth-tokens."""

import json
import os
import sqlite3
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from customer_pipeline_tests.real_input.persons import CREATED_AT, Person
from customer_pipeline_tests.servers import ServerProcess, free_port

TOKEN = "sesame-open-for-the-pipeline"


def written(instant: datetime) -> str:
    """Return the form of time that the table holds: text that sorts by time."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class DatasetteServer(ServerProcess):
    """Datasette that serves the database `crm` to the holder of the token."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.database = folder / "crm.db"
        metadata = folder / "metadata.json"
        tokens = [{"token": {"$env": "CRM_TOKEN"}, "actor": {"id": "pipeline"}}]
        metadata.write_text(
            json.dumps(
                {
                    "plugins": {"datasette-auth-tokens": {"tokens": tokens}},
                    "databases": {"crm": {"allow": {"id": "pipeline"}}},
                }
            )
        )
        super().__init__(
            [
                *(sys.executable, "-m", "datasette", "serve", str(self.database), "--host", "127.0.0.1"),
                *("--port", str(port), "--metadata", str(metadata)),
            ],
            port,
            log=folder / "datasette.log",
            env={**os.environ, "CRM_TOKEN": TOKEN},
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the shipped profiles need."""
        return {"DATASETTE_URL": self.url, "DATASETTE_TOKEN": TOKEN}

    def load(self, people: Iterable[Person]) -> None:
        """Create the table `customers` and fill it; the server must not have been started yet."""
        rows = [
            {
                "id": person.rec_id,
                **{name: value for name, value in person.columns.items() if name != "rec_id"},
                "created_at": written(CREATED_AT),
                "updated_at": written(person.updated_at),
            }
            for person in people
        ]
        names = list(rows[0])
        connection = sqlite3.connect(self.database)
        with connection:
            columns = ", ".join(f"{name} TEXT{' PRIMARY KEY' if name == 'id' else ''}" for name in names)
            connection.execute(f"CREATE TABLE customers ({columns})")
            connection.execute("CREATE INDEX customers_updated_at ON customers (updated_at)")
            placeholders = ", ".join(f":{name}" for name in names)
            connection.executemany(f"INSERT INTO customers VALUES ({placeholders})", rows)
        connection.close()

    def rows(self) -> list[dict[str, str]]:
        """Return every row, from the file itself."""
        connection = sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM customers")]
        connection.close()
        return found
