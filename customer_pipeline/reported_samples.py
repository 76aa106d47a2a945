"""The sample that a reconciliation reports: the one place where Dagster keeps ids of customers; and how one leaves it.

Dagster changes no event. If the run were deleted, the trend would lose a point and the asset's last event would stay;
an event reported anew, outside of any run, could not be deleted for the next customer. So the row is taken out of the
event where it is stored, and all else of it stays.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetKeyTable, SqlEventLogStorageTable

from customer_pipeline.erasure.target import mention

RECONCILIATION = dg.AssetKey("customer_reconciliation")
_SCHEMA = dg.TableSchema([dg.TableColumn("kind", "string"), dg.TableColumn("id", "string")])
_EVENT = SqlEventLogStorageTable.c.event
_LAST_EVENT = AssetKeyTable.c.last_materialization


def sample_of(ids: Iterable[tuple[str, Iterable[str]]]) -> dg.TableMetadataValue:
    """Return ids of each kind as a table."""
    rows = [dg.TableRecord({"kind": str(kind), "id": name}) for kind, names in ids for name in names]
    return dg.MetadataValue.table(rows, schema=_SCHEMA)


def take_out(instance: dg.DagsterInstance, customer_id: str) -> int:
    """Take a customer out of the samples of all reconciliations; broken off, a repetition goes on.

    Returns:
        How many reconciliations had the customer in their sample.

    Raises:
        TypeError: if the instance keeps its events in no SQL database.
        SQLAlchemyError: if the database cannot be read or written.
    """
    events = instance.event_log_storage
    if not isinstance(events, SqlEventLogStorage):
        raise TypeError(f"{type(events).__name__} is no SQL storage")
    told = mention(customer_id)
    with events.index_connection() as connection:
        runs = {event["run_id"] for _, _, event in _telling(connection, _EVENT, told)}
    for run in sorted(runs):
        # In SQLite each run has a file of its own, and the index repeats its materializations.
        with events.run_connection(run) as connection:
            _rewrite(connection, told)
    # Last, because the runs are found by it.
    with events.index_connection() as connection:
        _rewrite(connection, told)
    return len(runs)


def _rewrite(connection: db.Connection, told: re.Pattern[str]) -> None:
    if connection.dialect.name == "sqlite":
        # Free pages of the file would keep what was there.
        connection.execute(db.text("PRAGMA secure_delete = ON"))
    for column in (_EVENT, _LAST_EVENT):
        for key, text, event in _telling(connection, column, told):
            # Unless a newer event has taken its place meanwhile.
            same = db.and_(column.table.c.id == key, column == text)
            connection.execute(column.table.update().where(same).values({column: json.dumps(event)}))


def _telling(
    connection: db.Connection, column: db.Column[Any], told: re.Pattern[str]
) -> Iterator[tuple[int, str, Any]]:
    """Yield the key and the text of each event whose sample tells of the customer, and the event without those rows."""
    table = column.table.c
    query = db.select(table.id, column).where(table.asset_key == RECONCILIATION.to_string(), column.is_not(None))
    for key, text in connection.execute(query).all():
        event = json.loads(text)
        if (rest := _without(told, event)) != event:
            yield key, text, rest


def _without(told: re.Pattern[str], value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(told, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without(told, inner) for inner in value if not _is_telling_row(told, inner)]
    return value


def _is_telling_row(told: re.Pattern[str], value: Any) -> bool:
    is_row = isinstance(value, dict) and value.get("__class__") == "TableRecord"
    return is_row and bool(told.search(json.dumps(value["data"])))
