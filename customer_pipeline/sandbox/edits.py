"""Changes made by hand or by a fault: create, edit, delete. The time-driven ones are the world's."""

from dataclasses import replace
from typing import Any

import orjson

from customer_pipeline import timestamps
from customer_pipeline.sandbox.faults import Fault, Faults
from customer_pipeline.sandbox.pagination import Style
from customer_pipeline.sandbox.query import BadRequestError, ListQuery, parse_instant
from customer_pipeline.sandbox.store import Place, Row, key_of
from customer_pipeline.sandbox.world import SECOND, World
from customer_pipeline.timestamps import serving

_KEPT_APART = ("updated_at", "created_at", "deleted")


class UnknownCustomerError(KeyError):
    """There is no customer of that id."""


class IdTakenError(ValueError):
    """There is a customer of that id."""


def create(world: World, record: Any, *, position: int | None = None) -> Row:
    """Add a record, whatever it is.

    An object with an `id` in text and a plausible or no `updated_at` becomes a customer like any other. Anything else is
    served exactly as given; its place in the list is `position`, or now.

    Raises:
        IdTakenError: if there is a customer of that id.
    """
    present = world.now()
    instant = _plausible(record.get("updated_at"), present) if isinstance(record, dict) else None
    name = record.get("id") if isinstance(record, dict) else None
    ordinary = isinstance(name, str) and name != "" and ("updated_at" not in record or instant is not None)
    updated_at = present if position is None and instant is None else position if position is not None else instant
    row_id = name if isinstance(name, str) and name else f"~{world.store.last_seq() + 1}"
    if world.store.find(row_id):
        raise IdTakenError(f"there is a customer {row_id}; edit it with PUT")
    body = orjson.dumps({k: v for k, v in record.items() if k not in _KEPT_APART} if ordinary else record)
    created_at = present - present % SECOND
    deleted = ordinary and bool(record.get("deleted"))
    world.store.insert([Row(0, row_id, updated_at or present, created_at, deleted, not ordinary, body)])
    return _found(world, row_id)


def edit(world: World, customer_id: str, patch: dict[str, Any], *, updated_at: int | None = None) -> Row:
    """Apply a JSON merge patch (RFC 7396); `updated_at` is the given instant, the patch's own, or now.

    Raises:
        UnknownCustomerError: if there is no such customer.
        BadRequestError: if the patch's `updated_at` is no datetime.
    """
    row = _found(world, customer_id)
    if updated_at is None:
        updated_at = parse_instant(str(patch["updated_at"])) if "updated_at" in patch else world.now()
    changes = {name: value for name, value in patch.items() if name not in _KEPT_APART and name != "id"}
    record = _merged(orjson.loads(row.body), changes)
    if row.verbatim:
        record = {name: value for name, value in record.items() if name not in _KEPT_APART} | {"id": row.id}
    deleted = bool(patch["deleted"]) if "deleted" in patch else row.deleted
    edited = replace(row, updated_at=updated_at, deleted=deleted, verbatim=False, body=orjson.dumps(record))
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


def strike(world: World, faults: Faults, fault: Fault, *, style: Style, listing: ListQuery, page: list[Row]) -> None:
    """Change customers where it hurts a walk that was just served `page`; at most `total` altogether."""
    left = int(fault.number("total", 10))
    count = min(int(fault.number("count", 1)), left)
    which = fault.options.get("which", "last" if style is Style.LAST_ID else "first")
    if which == "last":
        victims = page[-count:]
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
    if left <= 0:
        faults.clear("edits_during_walk")


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
        instant = serving.epoch_microseconds(serving.parse_rfc3339(value))
    except (ValueError, OverflowError):
        return None
    earliest = serving.epoch_microseconds(timestamps.EARLIEST_PLAUSIBLE)
    return instant if earliest <= instant <= present + 86_400 * SECOND else None


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
