"""How a stored customer is written in an answer: the forms of its datetimes, and of its deletion. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from zoneinfo import ZoneInfo

import orjson

from customer_pipeline import timestamps
from customer_pipeline.sandbox.store import Row

LOCAL_ZONE = ZoneInfo("Europe/Zurich")
_ELSEWHERE = timezone(timedelta(hours=5, minutes=30))


class DatetimeForm(StrEnum):
    """The forms of a datetime; `naive` is local time of Zurich, `mixed` gives each customer one form of its own."""

    RFC3339 = "rfc3339"
    NAIVE = "naive"
    EPOCH_S = "epoch_s"
    EPOCH_MS = "epoch_ms"
    RFC2822 = "rfc2822"
    MIXED = "mixed"


class DeletionForm(StrEnum):
    """How a list tells of a deleted customer.

    `flag` marks the record, `event` serves an event without the record, `status` gives the record the status `deleted`,
    and `unsaid` leaves it out.
    """

    FLAG = "flag"
    EVENT = "event"
    STATUS = "status"
    UNSAID = "unsaid"


def render(
    row: Row, *, updated: DatetimeForm, created: DatetimeForm, deletions: DeletionForm = DeletionForm.FLAG
) -> bytes:
    """Return the JSON of a customer as the list serves it."""
    if row.verbatim:
        return row.body
    created_at = _write(row.created_at, created, row.seq)
    updated_at = _write(row.updated_at, updated, row.seq)
    if row.deleted and deletions is DeletionForm.EVENT:
        return b'{"event":"customer.deleted","id":%b,"updated_at":%b}' % (orjson.dumps(row.id), updated_at)
    body = row.body
    if row.deleted and deletions is DeletionForm.STATUS:
        body = orjson.dumps({**orjson.loads(body), "status": "deleted"})
    flag = b""
    if deletions is DeletionForm.FLAG:
        flag = b',"deleted":true' if row.deleted else b',"deleted":false'
    return b'%b%b,"created_at":%b,"updated_at":%b}' % (body[:-1], flag, created_at, updated_at)


def _write(microseconds: int, form: DatetimeForm, seq: int) -> bytes:
    instant = timestamps.from_epoch_microseconds(microseconds)
    write = _MIXTURE[seq % len(_MIXTURE)] if form is DatetimeForm.MIXED else _FORMS[form]
    return write(instant).encode()


def _rfc3339(instant: datetime) -> str:
    return f'"{timestamps.format_instant(instant)}"'


def _offset(instant: datetime) -> str:
    return f'"{timestamps.format_local(instant, _ELSEWHERE, with_offset=True)}"'


def _naive(instant: datetime) -> str:
    return f'"{timestamps.format_local(instant, LOCAL_ZONE, with_offset=False)}"'


def _naive_with_space(instant: datetime) -> str:
    """Write local time, but UTC with its offset in the hour that the end of summer time repeats."""
    local = instant.astimezone(LOCAL_ZONE)
    ambiguous = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    zone = UTC if ambiguous else LOCAL_ZONE
    return f'"{timestamps.format_local(instant, zone, with_offset=ambiguous, separator=" ")}"'


def _epoch_s(instant: datetime) -> str:
    return str(timestamps.epoch_milliseconds(instant) // 1000)


def _epoch_ms(instant: datetime) -> str:
    return str(timestamps.epoch_milliseconds(instant))


def _rfc2822(instant: datetime) -> str:
    return f'"{timestamps.format_rfc2822(instant)}"'


_FORMS: dict[DatetimeForm, Callable[[datetime], str]] = {
    DatetimeForm.RFC3339: _rfc3339,
    DatetimeForm.NAIVE: _naive,
    DatetimeForm.EPOCH_S: _epoch_s,
    DatetimeForm.EPOCH_MS: _epoch_ms,
    DatetimeForm.RFC2822: _rfc2822,
}
_MIXTURE = (_rfc3339, _offset, _naive_with_space, _rfc2822, _epoch_ms)
