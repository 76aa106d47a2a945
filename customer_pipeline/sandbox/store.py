"""The sandbox's state in SQLite: customers, their order, and a few settings. No HTTP, no clock, no invention.

A customer's body is stored as serialized JSON without its datetimes, so that a page is put together without parsing.
`updated_at` and `created_at` are microseconds since 1970. A verbatim row is served as it was given.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

_SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    updated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    verbatim INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_updated_at ON customers (updated_at, id);
CREATE INDEX IF NOT EXISTS tombstones ON customers (updated_at) WHERE deleted;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_COLUMNS = "seq, id, updated_at, created_at, deleted, verbatim, body"


class Sort(StrEnum):
    """How a list is ordered; the id is the second key, and `none` is the order of creation."""

    NONE = "none"
    ID = "id"
    UPDATED_AT = "updated_at"
    NEWEST_FIRST = "-updated_at"


@dataclass(frozen=True, slots=True)
class Row:
    """One customer as stored; `seq` is 0 before it is."""

    seq: int
    id: str
    updated_at: int
    created_at: int
    deleted: bool
    verbatim: bool
    body: bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which customers a list holds: `updated_at` in `[since, until)`, microseconds; None is unbounded.

    With `every_other` it holds every other one of them only, by the order of creation; with `live` no deleted one.
    """

    since: int | None = None
    until: int | None = None
    every_other: bool = False
    live: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page starts: after so many rows, or after the row with this key. The beginning is the default."""

    offset: int = 0
    after: tuple[int | str, ...] | None = None


class Store:
    """Customers and settings, in a file or in memory."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # a lost power supply may cost a sandbox its last changes
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written within, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def setting(self, name: str) -> int | None:
        """Return a setting, or None when it was never made."""
        found = self._connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if found is None else int(found[0])

    def needed(self, name: str) -> int:
        """Return a setting that every world has.

        Raises:
            LookupError: if it was never made: the file is not a sandbox's state.
        """
        value = self.setting(name)
        if value is None:
            raise LookupError(f"the state file has no setting {name!r}; remove it to begin anew")
        return value

    def set(self, name: str, value: int) -> None:
        """Keep a setting."""
        self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def insert(self, rows: Iterable[Row]) -> None:
        """Add customers; their `seq` is given here.

        Raises:
            sqlite3.IntegrityError: if an id is taken.
        """
        self._connection.executemany(
            "INSERT INTO customers (id, updated_at, created_at, deleted, verbatim, body) VALUES (?, ?, ?, ?, ?, ?)",
            ((row.id, row.updated_at, row.created_at, row.deleted, row.verbatim, row.body) for row in rows),
        )

    def update(self, row: Row) -> None:
        """Replace the customer at the row's `seq`; its id and creation stay."""
        self._connection.execute(
            "UPDATE customers SET updated_at = ?, deleted = ?, verbatim = ?, body = ? WHERE seq = ?",
            (row.updated_at, row.deleted, row.verbatim, row.body, row.seq),
        )

    def remove(self, row: Row) -> None:
        """Let a customer vanish."""
        self._connection.execute("DELETE FROM customers WHERE seq = ?", (row.seq,))

    def find(self, customer_id: str) -> Row | None:
        """Return a customer by its id."""
        return self._one("id = ?", customer_id)

    def at(self, seq: int) -> Row | None:
        """Return the customer that was created as the `seq`th."""
        return self._one("seq = ?", seq)

    def at_or_after(self, seq: int) -> Row | None:
        """Return the first customer that was created at `seq` or later."""
        return self._one("seq >= ? ORDER BY seq LIMIT 1", seq)

    def last_seq(self) -> int:
        """Return the greatest `seq` ever given, 0 for none."""
        found = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'customers'").fetchone()
        return 0 if found is None else int(found[0])

    def count(self, bounds: Bounds = Bounds()) -> int:
        """Return how many customers the whole list holds."""
        where, values = _conditions(bounds)
        return int(self._connection.execute(f"SELECT count(*) FROM customers WHERE {where}", values).fetchone()[0])  # noqa: S608 -- constants only

    def count_deleted(self) -> int:
        """Return how many customers are tombstones."""
        return int(self._connection.execute("SELECT count(*) FROM customers WHERE deleted").fetchone()[0])

    def page(self, bounds: Bounds, *, sort: Sort, place: Place, size: int) -> list[Row]:
        """Return up to `size` customers of a list, from one consistent read."""
        where, values = _conditions(bounds)
        if place.after is not None:
            where += f" AND {_AFTER[sort]}"
            values += place.after
        found = self._connection.execute(
            f"SELECT {_COLUMNS} FROM customers JOIN ("  # noqa: S608 -- constants only
            f"SELECT seq AS at FROM customers WHERE {where} ORDER BY {_ORDER[sort]} LIMIT ? OFFSET ?"
            f") ON seq = at ORDER BY {_ORDER[sort]}",
            (*values, size, place.offset),
        )
        return [_row(columns) for columns in found]

    def _one(self, condition: str, value: int | str) -> Row | None:
        query = f"SELECT {_COLUMNS} FROM customers WHERE {condition}"  # noqa: S608 -- constants only
        found = self._connection.execute(query, (value,)).fetchone()
        return None if found is None else _row(found)


_ORDER = {
    Sort.NONE: "seq",
    Sort.ID: "id",
    Sort.UPDATED_AT: "updated_at, id",
    Sort.NEWEST_FIRST: "updated_at DESC, id DESC",
}
_AFTER = {
    Sort.NONE: "seq > ?",
    Sort.ID: "id > ?",
    Sort.UPDATED_AT: "(updated_at, id) > (?, ?)",
    Sort.NEWEST_FIRST: "(updated_at, id) < (?, ?)",
}


def key_of(row: Row, sort: Sort) -> tuple[int | str, ...]:
    """Return the values by which `row` has its place in a list."""
    if sort is Sort.NONE:
        return (row.seq,)
    return (row.id,) if sort is Sort.ID else (row.updated_at, row.id)


def _conditions(bounds: Bounds) -> tuple[str, tuple[int | str, ...]]:
    where = "1"
    values: tuple[int | str, ...] = ()
    if bounds.since is not None:
        where, values = f"{where} AND updated_at >= ?", (*values, bounds.since)
    if bounds.until is not None:
        where, values = f"{where} AND updated_at < ?", (*values, bounds.until)
    if bounds.every_other:
        where = f"{where} AND seq % 2 = 0"
    if bounds.live:
        where = f"{where} AND NOT deleted"
    return where, values


def _row(columns: tuple[int, str, int, int, int, int, bytes]) -> Row:
    seq, customer_id, updated_at, created_at, deleted, verbatim, body = columns
    return Row(seq, customer_id, updated_at, created_at, bool(deleted), bool(verbatim), body)
