"""What the Dagster instance holds of an id, once samples are rid of it, and which runs are under way.

`python -m customer_pipeline.dagster_storage` is asked on standard input, as JSON, and answers on standard output: the
command line imports no Dagster, and an id that is looked for stands in no list of processes.
"""

import json
import mmap
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.runs import SqlRunStorage
from dagster._core.storage.schedules import SqlScheduleStorage

from customer_pipeline.dagster_texts import telling, tells, written
from customer_pipeline.erasure.target import is_number
from customer_pipeline.reported_samples import take_out

ERASURE_JOB = "customer_erasure"
JOB_PREFIX = "customer_"
_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# Binary columns hold compressed definitions of jobs, and no customers.
_NO_TEXT = (db.Integer, db.Numeric, db.Boolean, db.DateTime, db.Date, db.LargeBinary)


def runs_under_way(instance: dg.DagsterInstance) -> set[str]:
    """Return the ids of the pipeline's runs that may be landing or publishing now; erasures are none of them.

    A run that is queued begins later, and then knows who is suppressed.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
    return {run.run_id for run in runs if _may_publish(run)}


def _may_publish(run: dg.DagsterRun) -> bool:
    # Every job of the pipeline is called after the customers; a person's materialization has no job of its own.
    if run.job_name == ERASURE_JOB:
        return False
    return run.job_name.startswith(JOB_PREFIX) or run.job_name.startswith("__ASSET_JOB")


@dataclass
class Search:
    """Looks for an id in everything that an instance keeps.

    Attributes:
        traces: how many values, or files, tell of it, by table or file.
        runs: the runs whose own records do.
        unsearched: what could not be looked through, in words.
    """

    pattern: re.Pattern[str]
    texts: Sequence[str]
    traces: Counter[str] = field(default_factory=Counter)
    runs: set[str] = field(default_factory=set)
    unsearched: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, customer_id: str) -> "Search":
        """Return a search that has not begun."""
        texts = written(customer_id)
        return cls(telling(texts), texts)

    def instance(self, instance: dg.DagsterInstance) -> None:
        """Look through runs, events, schedules and sensors, and compute logs."""
        searched: set[db.URL] = set()
        for name, connection in _databases(instance):
            try:
                with connection as opened:
                    # PostgreSQL keeps all of it in one database.
                    if (url := opened.engine.url) not in searched:
                        searched.add(url)
                        self.database(name, opened)
            except Exception as error:  # noqa: BLE001 -- any driver's; its message may quote an URL
                self.unsearched.append(f"{name} ({type(error).__name__})")
        events = instance.event_log_storage
        if isinstance(events, SqliteEventLogStorage):
            for run in events.get_all_run_ids():
                self._shard(Path(events.path_for_shard(run)), run=run)
        match instance.compute_log_manager:
            case NoOpComputeLogManager():
                pass
            case LocalComputeLogManager() as manager:
                log = manager.get_captured_local_path(["any"], ComputeIOType.STDERR.value)
                self.folder("compute log", Path(log).parent)
            case manager:
                self.unsearched.append(f"the compute logs ({type(manager).__name__}), which are not on this machine")

    def database(self, name: str, connection: db.Connection) -> None:
        """Look through every column of every table that may hold text."""
        inspector = db.inspect(connection)
        find = db.func.instr if connection.dialect.name != "postgresql" else db.func.strpos
        for table in inspector.get_table_names():
            columns = inspector.get_columns(table)
            names = {column["name"] for column in columns}
            of_run = db.column("run_id") if "run_id" in names else db.null()
            # A number that is a tag's whole value stands in no quotes; whose tag it is, its key says.
            are_tags = {"key", "value"} <= names and table.endswith("_tags") and any(map(is_number, self.texts))
            for column in columns:
                if isinstance(column["type"], _NO_TEXT):
                    continue
                text = db.cast(db.column(column["name"]), db.Text)
                is_of_tag = are_tags and column["name"] == "value"
                key = db.column("key") if is_of_tag else db.null()
                query = db.select(text, key, of_run).select_from(db.table(table))
                query = query.where(db.or_(*(find(text, form) > 0 for form in self.texts)))
                for value, tag, run in connection.execute(query):
                    shown = json.dumps({tag: value}) if is_of_tag else value
                    self._look(shown, where=f"{name}: {table}", run=run)

    def folder(self, name: str, folder: Path) -> None:
        """Look through every file below a folder."""
        pattern = re.compile(self.pattern.pattern.encode())
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if not path.is_file() or not path.stat().st_size:
                continue
            try:
                with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    if tells(pattern.finditer(content)):
                        self.traces[f"{name}: {path}"] += 1
            except OSError as error:
                self.unsearched.append(f"{path} ({type(error).__name__})")

    def _shard(self, path: Path, *, run: str) -> None:
        """Look through the events of one run in SQLite; there are as many files as runs, so each is opened quickly."""
        where = " OR ".join("instr(event, ?) > 0" for _ in self.texts)
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
                for (event,) in connection.execute(f"SELECT event FROM event_logs WHERE {where}", list(self.texts)):  # noqa: S608 -- placeholders
                    self._look(event, where="event log", run=run)
        except sqlite3.Error as error:
            self.unsearched.append(f"the event log of run {run} ({type(error).__name__})")

    def _look(self, value: Any, *, where: str, run: str | None) -> None:
        if tells(self.pattern.finditer(str(value))):
            self.traces[where] += 1
            if run:
                self.runs.add(run)


def _databases(instance: dg.DagsterInstance) -> Iterator[tuple[str, AbstractContextManager[db.Connection]]]:
    runs, events, schedules = instance.run_storage, instance.event_log_storage, instance.schedule_storage
    if not isinstance(runs, SqlRunStorage) or not isinstance(events, SqlEventLogStorage):
        raise TypeError(f"{type(events).__name__} is no SQL storage")
    yield "runs", runs.connect()
    yield "event log", events.index_connection()
    if isinstance(schedules, SqlScheduleStorage):
        yield "schedules and sensors", schedules.connect()


def main() -> None:
    """Answer one question: `{"runs": true}`, or `{"id": ..., "folders": [...]}`."""
    question = json.load(sys.stdin)
    with dg.DagsterInstance.get() as instance:
        if question.get("runs"):
            answer: dict[str, Any] = {"runs": sorted(runs_under_way(instance))}
        else:
            search = Search.of(question["id"])
            taken_out = 0
            try:
                taken_out = take_out(instance, question["id"])
            except db.exc.SQLAlchemyError as error:
                search.unsearched.append(f"samples of reconciliations, to take the id out ({type(error).__name__})")
            search.instance(instance)
            for folder in question["folders"]:
                search.folder("log", Path(folder))
            answer = {
                "taken_out": taken_out,
                "traces": dict(search.traces),
                "runs": sorted(search.runs),
                "unsearched": search.unsearched,
            }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
