"""What the cache must hold, derived from the server's own database by other means than the pipeline's.

Rows are read from the database file, numbers and countries are known from where they were taken, times are put
together from the text's own digits. Nothing here imports the normalization.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from customer_pipeline_tests.real_input.persons import NO_COUNTRIES, Person
from customer_pipeline_tests.servers import ValkeyServer

Document = dict[str, Any]


def expected_documents(
    rows: Iterable[Mapping[str, Any]], people: Iterable[Person], *, rec_id: str, created: str, updated: str
) -> dict[str, Document]:
    """Return the document of every live row by id, without its version.

    Args:
        rows: the rows of the database.
        people: what the rows were made of.
        rec_id: the column that tells which person a row is.
        created: the column with the time of creation.
        updated: the column with the time of the last change.
    """
    known = {person.rec_id: person for person in people}
    return {
        row["id"]: _document(row, known[row[rec_id]], created=row[created], updated=row[updated])
        for row in rows
        if not row.get("deleted")
    }


def _document(row: Mapping[str, Any], person: Person, *, created: str, updated: str) -> Document:
    birth = _birth(row["date_of_birth"].strip())
    unusable = {
        "address.country": row["country"] in NO_COUNTRIES,
        "attributes.date_of_birth": bool(row["date_of_birth"].strip()) and birth is None,
    }
    return {
        "id": row["id"],
        "email": None,
        "phone": person.e164,
        "name": _text(f"{row['given_name']} {row['surname']}"),
        "given_name": _text(row["given_name"]),
        "family_name": _text(row["surname"]),
        "company": None,
        "address": {
            "line1": _text(f"{row['street_number']} {row['address_1']}"),
            "line2": _text(row["address_2"]),
            "city": _text(row["suburb"]),
            "region": _text(row["state"]),
            "postal_code": _text(row["postcode"]),
            "country": person.country,
        },
        "status": _text(row.get("status", "")),
        "language": None,
        "tags": [],
        "attributes": {"date_of_birth": birth},
        "created_at": _instant(created),
        "updated_at": _instant(updated),
        "deleted_at": None,
        "invalid": sorted(name for name, is_unusable in unusable.items() if is_unusable),
    }


def _text(value: str) -> str | None:
    return " ".join(value.split()) or None


def _instant(text: str) -> str:
    """`2025-11-20 00:00:40.493Z` and `2025-11-20T00:00:40.493Z` are the contract's form but for three digits."""
    assert len(text) == len("2025-11-20 00:00:40.493Z")
    return f"{text[:10]}T{text[11:23]}000Z"


def _birth(digits: str) -> str | None:
    """FEBRL writes 19560409, and now and then a 31st of June."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()
    except ValueError:
        return None


def cached_documents(valkey: ValkeyServer) -> dict[str, Document]:
    """Return every document of the cache by the id in its key, without its version, which must fit the document."""
    documents: dict[str, Document] = {}
    with valkey.client() as client:
        keys = [key for key in client.scan_iter("customer:{*}", count=10_000) if key.endswith(b"}")]
        values = client.mget(keys) if keys else []
    for key, value in zip(keys, values, strict=True):
        document: Document = json.loads(value)
        assert document.pop("version").partition("/")[0] == document["updated_at"]
        documents[key.decode().removeprefix("customer:{").removesuffix("}")] = document
    return documents


def tombstones(valkey: ValkeyServer) -> set[str]:
    """Return the ids that the cache knows as deleted."""
    with valkey.client() as client:
        keys = list(client.scan_iter("customer:{*}:tombstone", count=10_000))
    return {key.decode().removeprefix("customer:{").removesuffix("}:tombstone") for key in keys}


def differences(cached: Mapping[str, Document], expected: Mapping[str, Document]) -> list[str]:
    """Return one line for every customer that is missing, unknown to the database, or different in a field."""
    lines = [f"{id_}: not in the cache" for id_ in sorted(expected.keys() - cached.keys())]
    lines += [f"{id_}: not in the database" for id_ in sorted(cached.keys() - expected.keys())]
    for id_ in sorted(expected.keys() & cached.keys()):
        is_, ought = cached[id_], expected[id_]
        lines += [
            f"{id_}.{name}: {is_.get(name)!r} instead of {ought.get(name)!r}"
            for name in sorted(is_.keys() | ought.keys())
            if is_.get(name) != ought.get(name) or (name in is_) != (name in ought)
        ]
    return lines
