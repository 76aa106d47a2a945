"""What differs between two documents of one customer. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from customer_pipeline.preview.report import Change, FieldDifference

# A document starts with `{"version":"`, which takes as many bytes together with the version itself.
_VERSION_BYTES = 67
_VERSION = "version"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_NULL = "null"


def change_of(before: bytes | None, after: bytes | None) -> Change | None:
    """Return what happened to a document; None where nothing but its version differs."""
    return _change(before and before[_VERSION_BYTES:], after and after[_VERSION_BYTES:])


def fields(before: bytes | None, after: bytes | None, *, show_values: bool) -> tuple[FieldDifference, ...]:
    """Return the fields that differ, in the order of the documents."""
    old, new = _flat(before), _flat(after)
    return tuple(
        FieldDifference(
            field=name,
            change=change,
            before=_shown(old.get(name), show_values=show_values),
            after=_shown(new.get(name), show_values=show_values),
        )
        for name in {**old, **new}
        if name != _VERSION and (change := _change(old.get(name), new.get(name)))
    )


def _change(before: object, after: object) -> Change | None:
    if before == after:
        return None
    if before is None:
        return Change.ADDED
    return Change.REMOVED if after is None else Change.CHANGED


def _flat(document: bytes | None) -> dict[str, Any]:
    """Return the fields by path, an empty list as null; what something else than the pipeline wrote has none."""
    try:
        content = orjson.loads(document or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return dict(_leaves(content, "")) if isinstance(content, dict) else {}


def _leaves(content: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", None if value == [] else value


def _shown(value: Any, *, show_values: bool) -> Any:
    return value if show_values else _described(value)


def _described(value: Any) -> str:
    match value:
        case None:
            return _NULL
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case list():
            return f"list of {len(value)}"
        case _:
            return _described_text(str(value))


def _described_text(value: str) -> str:
    if _INSTANT.fullmatch(value):
        return "instant"
    return "date" if _DATE.fullmatch(value) else f"text of {len(value)}"
