"""Bodies of answers: from bytes to the parsed document and to each record's own text, exactly as received."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]  # undocumented in the stubs, public in CPython
from typing import Any

from customer_pipeline.customers.columns import UNUSABLE
from customer_pipeline.customers.paths import Path

_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(strict=False)  # real providers send raw control characters within texts


class BodyError(ValueError):
    """A body that holds no list of records; the message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Body:
    """A parsed body.

    Attributes:
        document: the whole body, parsed.
        records: the parsed records.
        texts: the JSON text of each record: a slice of the body where `records` is a plain dotted path or `@`;
            for any other expression the record encoded anew, since it need not stand in the body as such.
    """

    document: Any
    records: list[Any]
    texts: list[str]


def parse_body(body: bytes, *, encoding: str, path: str) -> Body:
    """Parse a JSON body and find its records.

    Args:
        body: the bytes of the body.
        encoding: the declared character set.
        path: JMESPath to the records.

    Raises:
        BodyError: if the body is not JSON, or has no list where the records should be.
    """
    text = _text(body, encoding)
    with _explained():
        if path == "@" or _DOTTED.fullmatch(path):
            return _sliced(text, [] if path == "@" else path.split("."))
        return _searched(text, path)


def parse_record(body: bytes, *, encoding: str, path: str) -> Body:
    """Parse a JSON body and find its one record; nothing or null there is no record.

    Raises:
        BodyError: if the body is not JSON, or has something else than an object where the record should be.
    """
    text = _text(body, encoding)
    with _explained():
        document = _whole(text)
        record = Path(path)([document])[0]
        if record is None:
            return Body(document, [], [])
        if not isinstance(record, dict):
            found = "what cannot be evaluated" if record is UNUSABLE else type(record).__name__
            raise BodyError(f"there is no object at {path!r} (lookup.record) but {found}")
        return Body(document, [record], [text.strip() if path == "@" else json.dumps(record)])


def _text(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError):
        raise BodyError(f"the body is not {encoding} text") from None


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BodyError:
        raise
    except (ValueError, RecursionError) as error:
        raise BodyError(f"the body is not usable as JSON ({type(error).__name__})") from None


def _searched(text: str, path: str) -> Body:
    document = _whole(text)
    records = Path(path)([document])[0]
    if not isinstance(records, list):
        raise BodyError(_no_list(path, records))
    return Body(document, records, [json.dumps(record) for record in records])


def _no_list(path: str, found: Any) -> str:
    if found is UNUSABLE:
        return f"list.records {path!r} cannot be evaluated on the body"
    found_there = "nothing or null" if found is None else type(found).__name__
    return f"there is no list at {path!r} (list.records) but {found_there}"


def _whole(text: str) -> Any:
    document, end = _DECODER.raw_decode(text, _skip(text, 0))
    if _skip(text, end) != len(text):
        raise BodyError("the body goes on after its JSON")
    return document


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _sliced(text: str, steps: list[str]) -> Body:
    found = _Slices(text)
    document, end = found.value(_skip(text, 0), steps)
    if _skip(text, end) != len(text):
        raise BodyError("the body goes on after its JSON")
    path = ".".join(steps) or "@"
    at_path = Path(path)([document])[0]
    if found.records is None or at_path is not found.records:  # of equal names the last counts
        raise BodyError(_no_list(path, at_path))
    return Body(document, found.records, found.texts)


class _Slices:
    """Walks down one path of a JSON text; everything beside the path is left to the C decoder."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.records: list[Any] | None = None
        self.texts: list[str] = []

    def value(self, at: int, steps: list[str]) -> tuple[Any, int]:
        opening = self.text[at : at + 1]
        if not steps and opening == "[":
            return self._list(at + 1)
        if steps and opening == "{":
            return self._object(at + 1, steps)
        return _DECODER.raw_decode(self.text, at)

    def _list(self, at: int) -> tuple[list[Any], int]:
        records: list[Any] = []
        texts: list[str] = []
        at = _skip(self.text, at)
        while self.text[at : at + 1] != "]":
            if records:
                at = self._expect(",", at)
            record, end = _DECODER.raw_decode(self.text, at)
            records.append(record)
            texts.append(self.text[at:end])
            at = _skip(self.text, end)
        self.records, self.texts = records, texts
        return records, at + 1

    def _object(self, at: int, steps: list[str]) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        at = _skip(self.text, at)
        while self.text[at : at + 1] != "}":
            if members:
                at = self._expect(",", at)
            at = self._expect('"', at, skip=False)
            name, at = scanstring(self.text, at, False)  # noqa: FBT003 -- positional in C
            at = self._expect(":", _skip(self.text, at))
            members[name], at = self.value(at, steps[1:]) if name == steps[0] else _DECODER.raw_decode(self.text, at)
            at = _skip(self.text, at)
        return members, at + 1

    def _expect(self, character: str, at: int, *, skip: bool = True) -> int:
        if self.text[at : at + 1] != character:
            raise BodyError(f"the body is not JSON at character {at}")
        return _skip(self.text, at + 1) if skip else at + 1
