"""Customers' values where none may be: in what Dagster keeps, in the logs of the services, in alerts."""

import json
import random
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Shorter ones are words and numbers that stand anywhere.
_SHORTEST = 5
# Shorter ones are parts of other words, so they are looked for as words.
_SHORTEST_PART = 8
_PLACES = (
    ("contact", "email"),
    ("contact", "phone"),
    ("name", "full"),
    ("name", "first"),
    ("name", "last"),
    ("company", "name"),
    ("address", "line1"),
    ("address", "line2"),
)
_RARE = "bcdfghjkqvwxz"
_WORD = rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))%s(?![A-Za-z0-9])"
_SQLITE = b"SQLite format 3\0"


def marked(number: int) -> dict[str, Any]:
    """Return a record whose every value is of its own, and stands nowhere by accident; most are not valid either."""
    dice = random.Random(f"marked/{number}")

    def mark() -> str:
        return "".join(dice.choices(_RARE, k=5))

    first, last = mark().title(), mark().title()
    return {
        "id": f"{mark()}-{number:02}",
        "name": {"full": f"{first} {last}", "first": first, "last": last},
        "contact": {"email": f"{mark()}.{mark()}" + "@" * (number % 2) + "example.org", "phone": mark()},
        "company": {"name": mark()},
        "address": {name: mark() for name in ("line1", "line2", "city", "region", "postal_code", "country")},
        "locale": mark(),
        "status": mark(),
        "tags": [mark(), mark()],
        "custom": {name: mark() for name in ("birth_date", "loyalty_since", "newsletter", "score")},
    }


def marks_of(record: Mapping[str, Any]) -> set[str]:
    """Return every value of a marked record but the id, which a sample may show."""
    return set(_texts({name: value for name, value in record.items() if name != "id"}))


def values_of(truth: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return e-mail addresses, phone numbers, names and addresses of the provider's customers."""
    return set(_values(truth))


def leaks(
    values: Iterable[str], folders: Iterable[Path], *, but: Iterable[str] = (), free_pages: bool = True
) -> list[str]:
    """Return one line for each file below `folders` that holds any of the values.

    Args:
        values: what to look for, in any form that logs and databases write.
        folders: where.
        but: names of files that are left out.
        free_pages: also look where a database has forgotten what it wrote.
    """
    needles, left_out = _needles(values), set(but)
    found = []
    for file in sorted(file for folder in folders for file in folder.rglob("*")):
        if file.is_file() and file.name not in left_out:
            content = b"\n".join(_contents(file, free_pages=free_pages))
            if count := _count(needles, content):
                found.append(f"{file.name}: {count} values")
    return found


def told(values: Iterable[str], text: str) -> int:
    """Return how many of the values are in a text."""
    return _count(_needles(values), text.encode())


def _values(truth: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for line in truth:
        record = line["record"]
        for outer, inner in _PLACES:
            part = record.get(outer) if isinstance(record, dict) else None
            value = part.get(inner) if isinstance(part, dict) else None
            if isinstance(value, str) and len(value.strip()) >= _SHORTEST:
                yield value.strip()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _needles(values: Iterable[str]) -> dict[str, list[bytes]]:
    return {value: sorted({form.encode() for form in _written(value)}) for value in values}


def _written(value: str) -> Iterator[str]:
    """Yield a value as texts, JSON, JSON within JSON, representations of bytes, and URLs write it."""
    yield value
    yield repr(value.encode())[2:-1]
    yield quote(value)
    for is_ascii in (True, False):
        once = json.dumps(value, ensure_ascii=is_ascii)[1:-1]
        yield once
        yield json.dumps(once)[1:-1]


def _count(needles: Mapping[str, list[bytes]], content: bytes) -> int:
    return sum(any(_holds(content, form, value) for form in forms) for value, forms in needles.items())


def _holds(content: bytes, form: bytes, value: str) -> bool:
    if form not in content:
        return False
    return len(value) >= _SHORTEST_PART or bool(re.search(_WORD % re.escape(form), content))


def _contents(file: Path, *, free_pages: bool) -> Iterator[bytes]:
    raw = file.read_bytes()
    is_database = raw.startswith(_SQLITE)
    if free_pages or not (is_database or file.name.endswith(("-wal", "-shm"))):
        yield raw
    if is_database:
        # A value that is long lies in pieces.
        yield from _cells(file)


def _cells(file: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = [
            name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield from (cell for cell in row if isinstance(cell, bytes))
