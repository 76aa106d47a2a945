"""Changes made by hand or by a fault: create, edit, delete. The time-driven ones are the world's."""

from collections.abc import Container
from dataclasses import replace
from typing import Any

import orjson

from customer_pipeline import timestamps
from customer_pipeline.sandbox.faults import Fault
from customer_pipeline.sandbox.pagination import Style
from customer_pipeline.sandbox.population import SECOND
from customer_pipeline.sandbox.query import ListQuery, parse_instant
from customer_pipeline.sandbox.store import Place, Row, key_of
from customer_pipeline.sandbox.world import World

_KEPT_APART = ("updated_at", "created_at", "deleted")


class UnknownCustomerError(ValueError):
    """There is no customer of that id."""

    def __init__(self, customer_id: str) -> None:
        super().__init__(f"there is no customer {customer_id}")


class IdTakenError(ValueError):
    """There is a customer of that id."""

    def __init__(self, customer_id: str) -> None:
        super().__init__(f"there is a customer {customer_id} already; edit it with PUT")


def create(world: World, record: Any, *, updated_at: int | None = None) -> Row:
    """Add a record, whatever it is.

    An object with an `id` in text, and with a plausible `updated_at` or none, becomes a customer like any other.
    Anything else is served exactly as given. Its place in the list is the given instant, or the record's own where that
    is plausible, or now.

    Raises:
        IdTakenError: if there is a customer of that id.
    """
    present = world.now()
    members = record if isinstance(record, dict) else {}
    own = _plausible(members.get("updated_at"), present)
    named = isinstance(members.get("id"), str) and members["id"] != ""
    row_id = members["id"] if named else f"~{world.store.last_seq() + 1}"
    if world.store.find(row_id):
        raise IdTakenError(row_id)
    ordinary = named and ("updated_at" not in members or own is not None)
    row = Row(
        seq=0,
        id=row_id,
        updated_at=next(instant for instant in (updated_at, own, present) if instant is not None),
        created_at=present - present % SECOND,
        deleted=ordinary and bool(members.get("deleted")),
        verbatim=not ordinary,
        body=orjson.dumps(_without(members, _KEPT_APART) if ordinary else record),
    )
    world.store.insert([row])
    return _found(world, row_id)


def edit(world: World, customer_id: str, patch: dict[str, Any], *, updated_at: int | None = None) -> Row:
    """Apply a JSON merge patch (RFC 7396); `updated_at` is the given instant, or the patch's own, or now.

    A record that was served as given becomes a customer like any other.

    Raises:
        UnknownCustomerError: if there is no such customer.
        BadRequestError: if the patch's `updated_at` is no datetime.
    """
    row = _found(world, customer_id)
    if updated_at is None:
        updated_at = parse_instant(str(patch["updated_at"])) if "updated_at" in patch else world.now()
    before = _without(orjson.loads(row.body), _KEPT_APART)
    after = _merged(before, _without(patch, _KEPT_APART)) | {"id": row.id}
    deleted = bool(patch["deleted"]) if "deleted" in patch else row.deleted
    edited = replace(row, updated_at=updated_at, deleted=deleted, verbatim=False, body=orjson.dumps(after))
    world.store.update(edited)
    return edited


def delete(world: World, customer_id: str, *, hard: bool) -> None:
    """Delete a customer: leave a tombstone, or with `hard` nothing.

    Raises:
        UnknownCustomerError: if there is no such customer.
    """
    row = _found(world, customer_id)
    if hard:
        world.store.remove(row)
    else:
        world.store.update(replace(row, updated_at=world.now(), deleted=True))


def strike(world: World, fault: Fault, *, style: Style, listing: ListQuery, page: list[Row]) -> None:
    """Change customers where it hurts the walk that was just served `page`; at most `total` altogether."""
    left = int(fault.number("total", 10))
    count = min(int(fault.number("count", 1)), left)
    which = fault.options.get("which", "last" if style is Style.LAST_ID else "first")
    if which == "last":
        victims = page[max(0, len(page) - count) :]
    else:
        place = Place() if which == "first" else Place(after=key_of(page[-1], listing.sort))
        victims = world.store.page(listing.bounds, sort=listing.sort, place=place, size=count)
    for row in victims:
        if fault.options.get("kind") == "delete":
            world.store.remove(row)
        else:
            edit(world, row.id, {"custom": {"edited_during_walk": left}})
        left -= 1
    fault.options["total"] = str(left)


def _found(world: World, customer_id: str) -> Row:
    row = world.store.find(customer_id)
    if row is None:
        raise UnknownCustomerError(customer_id)
    return row


def _plausible(value: Any, present: int) -> int | None:
    """Return an `updated_at` by which a customer can be ordered: RFC 3339, not before 1900, not after tomorrow."""
    if not isinstance(value, str):
        return None
    try:
        instant = timestamps.epoch_microseconds(timestamps.parse_rfc3339(value))
    except (ValueError, OverflowError):
        return None
    earliest = timestamps.epoch_microseconds(timestamps.EARLIEST_PLAUSIBLE)
    return instant if earliest <= instant <= present + 86_400 * SECOND else None


def _without(record: Any, names: Container[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names} if isinstance(record, dict) else {}


def _merged(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(target)
    for name, value in patch.items():
        before = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged
