"""What changes at the provider in windows of the past: created, edited and deleted customers, and poison records.

Seeded: the same dice make the same changes. A window is changed before any run asks for it, as time would have it.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import orjson

from customer_pipeline.sandbox.people import edited, invent
from customer_pipeline.timestamps import format_instant
from customer_pipeline.windows import Window
from customer_pipeline_tests.drills.stack import Provider

_MICROSECOND = timedelta(microseconds=1)


class Changes:
    """Makes changes at one provider; knows the customers that it created."""

    def __init__(self, provider: Provider, *, seed: int) -> None:
        self._provider = provider
        self._dice = random.Random(seed)
        self._seed = seed
        self._created = 0
        self._bodies: dict[str, bytes] = {}

    def fill(self, windows: Sequence[Window], *, changes: int) -> None:
        """Spread changes over windows, oldest first: half are new customers, the others edits and deletions."""
        instants = sorted(self._instant(self._dice.choice(windows)) for _ in range(changes))
        for instant in instants:
            kind = self._dice.random()
            if not self._bodies or kind < 0.5:
                self.create(instant)
            elif kind < 0.85:
                self.edit(self._dice.choice(list(self._bodies)), instant)
            else:
                self.delete(self._dice.choice(list(self._bodies)), instant)

    def create(self, instant: datetime) -> str:
        self._created += 1
        id_ = f"s{self._seed}-{self._created:05}"
        body = orjson.dumps({**orjson.loads(invent(self._seed, self._created)), "id": id_})
        self._provider.control("POST", "customers", body=orjson.loads(body), updated_at=format_instant(instant))
        self._bodies[id_] = body
        return id_

    def edit(self, id_: str, instant: datetime) -> None:
        self._bodies[id_] = edited(self._bodies[id_], self._dice)
        patch = orjson.loads(self._bodies[id_])
        self._provider.control("PUT", f"customers/{id_}", body=patch, updated_at=format_instant(instant))

    def delete(self, id_: str, instant: datetime) -> None:
        del self._bodies[id_]
        self._provider.control("PUT", f"customers/{id_}", body={"deleted": True}, updated_at=format_instant(instant))

    def revive(self, id_: str, instant: datetime) -> None:
        """Let a customer that was deleted exist again."""
        self._provider.control("PUT", f"customers/{id_}", body={"deleted": False}, updated_at=format_instant(instant))

    def poison(self, window: Window) -> None:
        """Let the window hold records that nobody can normalize."""
        at = format_instant(window.start + timedelta(minutes=7))
        for record in ({"id": "", "updated_at": at}, {"id": f"poison-{self._seed}", "updated_at": "yesterday"}, "text"):
            self._provider.control("POST", "customers", body=record, updated_at=at)

    def _instant(self, window: Window) -> datetime:
        return window.start + self._dice.randrange((window.end - window.start) // _MICROSECOND) * _MICROSECOND
