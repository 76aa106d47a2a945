"""One pass over the landing store: the rows of a customer are taken out, file by file."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline.customers import exact_json
from customer_pipeline.customers.identity import Identifier
from customer_pipeline.erasure.target import Target, forms
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.files import LandedFiles, Mask
from customer_pipeline.landing.naming import SNAPSHOTS

_ATTEMPTS = 5
_COLUMNS = ("id", "record")


@dataclass(kw_only=True)
class Swept:
    """What a pass found, and took out.

    Attributes:
        files: how many files were rewritten.
        rows: how many rows of each dataset were taken out.
        mentions: rows of other customers whose records mention the id; they stay.
    """

    files: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    mentions: int = 0


class LandedRows:
    """The rows of one customer in every file of a landing store.

    A row is the customer's if its column `id` says so or its record is read as that customer's by the profile; and,
    once the id is known, if its record cannot be read as any customer's and mentions the id.
    """

    def __init__(self, files: LandedFiles, *, identifier: Identifier, target: Target) -> None:
        self._files = files
        self._identify = identifier
        self._target = target
        # What was seen to hold nothing of the customer: the stamp of the file, whether the id was known, its mentions.
        self._clean: dict[str, tuple[str, bool, int]] = {}

    def sweep(self, *, before: Callable[[str], None]) -> Swept:
        """Take the customer's rows out of every file; files that have none of them stay as they are.

        Args:
            before: is called with a file's name before it is rewritten.

        Raises:
            LandingError: if a file cannot be read or written: nobody then knows what it holds.
        """
        swept = Swept()
        for name in self._files.names():
            rows, mentions = self._file(name, before=before)
            swept.files += rows > 0
            swept.rows[_dataset(name)] += rows
            swept.mentions += mentions
        swept.rows = +swept.rows
        return swept

    def _file(self, name: str, *, before: Callable[[str], None]) -> tuple[int, int]:
        for attempt in range(_ATTEMPTS):
            stamp = self._files.stamp(name)
            if stamp is None:
                return 0, 0
            if self._clean.get(name, ())[:2] == (stamp, self._target.id is not None):
                return 0, self._clean[name][2]
            try:
                return self._taken_out(name, stamp, before=before)
            except LandingError as error:
                # A run has landed the window anew meanwhile: its file is looked at instead.
                replaced = error.transient or self._files.stamp(name) != stamp
                if not replaced or attempt + 1 == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _taken_out(self, name: str, stamp: str, *, before: Callable[[str], None]) -> tuple[int, int]:
        rows = mentions = 0
        for batch in self._files.batches(name, _COLUMNS):
            own, mentioned = self._marked(batch)
            rows += int(own.sum())
            mentions += int(mentioned.sum())
        if rows:
            before(name)
            self._files.rewrite(name, without=lambda group: self._marked(group)[0], stamp=stamp)
        else:
            self._clean[name] = (stamp, self._target.id is not None, mentions)
        return rows, mentions

    def _marked(self, rows: pa.RecordBatch | pa.Table) -> tuple[Mask, Mask]:
        """Return which rows are the customer's, and which others mention the id."""
        names = rows.schema.names
        own, others = np.zeros(rows.num_rows, dtype=np.bool_), np.zeros(rows.num_rows, dtype=np.bool_)
        if "id" in names:
            own |= self._target.picks(rows.column("id").to_pylist())
        if "record" in names:
            texts = rows.column("record")
            ids, _ = self._identify(exact_json.loads_each(texts))
            own |= self._target.picks(ids)
            for row in self._candidates(texts):
                if not own[row] and self._target.is_mentioned(texts[row].as_py()):
                    (own if ids[row] is None else others)[row] = True
        return own, others

    def _candidates(self, texts: pa.Array) -> list[int]:
        if self._target.id is None:
            return []
        found = np.zeros(len(texts), dtype=np.bool_)
        for form in forms(self._target.id):
            found |= np.asarray(pc.match_substring(texts, form))
        return [int(row) for row in np.flatnonzero(found)]


def _dataset(name: str) -> str:
    parts = name.split("/")
    return parts[2] if parts[0] == SNAPSHOTS and len(parts) > 2 else parts[0]  # noqa: PLR2004 -- snapshots/<as_of>/
