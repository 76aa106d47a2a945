"""Customers' values where none may be: in what Dagster keeps and in the logs of the services."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

# Shorter ones are words and numbers that stand anywhere.
_SHORTEST = 8
_PLACES = (("contact", "email"), ("contact", "phone"), ("name", "full"), ("address", "line1"), ("address", "line2"))


def values_of(truth: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return e-mail addresses, phone numbers, names and addresses of the provider's customers."""
    return set(_values(truth))


def _values(truth: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for line in truth:
        record = line["record"]
        for outer, inner in _PLACES:
            part = record.get(outer) if isinstance(record, dict) else None
            value = part.get(inner) if isinstance(part, dict) else None
            if isinstance(value, str) and len(value.strip()) >= _SHORTEST:
                yield value.strip()


def leaks(values: Iterable[str], folders: Iterable[Path], *, but: Iterable[str] = ()) -> list[str]:
    """Return one line for each file below `folders` that holds any of the values; files named in `but` are left out."""
    needles = {form.encode() for value in values for form in (value, json.dumps(value)[1:-1])}
    left_out = set(but)
    found = []
    for file in sorted(file for folder in folders for file in folder.rglob("*")):
        if file.is_file() and file.name not in left_out:
            content = file.read_bytes()
            if count := sum(needle in content for needle in needles):
                found.append(f"{file.name}: {count} values")
    return found
