"""The sandbox's world: who is in it at first, and what happens to them as time passes. No HTTP.

Changes are numbered. What the nth does, and how long it keeps the next one waiting, follows from the seed and n alone;
a change that fell due while nobody asked is applied at the next request, at the instant at which it was due.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from customer_pipeline.sandbox.people import customer_id, edited, invent
from customer_pipeline.sandbox.store import Row, Store
from customer_pipeline.timestamps import serving

SECOND = 1_000_000
_DAY = 86_400 * SECOND
_HISTORY = 30 * _DAY
_LONGEST_CREATION = 1500 * _DAY
_IMPORT_SIZE = 40
_LARGEST_BACKLOG = 20_000
_MOST_SEQ_DRAWS = 20
_ECHO_DELAY = SECOND // 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What a new world is made of; one that continues keeps its own."""

    customers: int = 5000
    seed: int = 1
    changes_per_minute: float = 30.0
    start: datetime | None = None


class World:
    """Customers that change as time passes.

    Args:
        store: where they are kept; an empty one is filled.
        settings: what a new world is made of.
        clock: the provider's clock.
    """

    def __init__(self, store: Store, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.clock = clock
        self.paused = False
        self._rate = settings.changes_per_minute
        if store.setting("seed") is None:
            with store.transaction():
                self._begin(settings)
        self.seed = store.setting("seed") or 0
        self.advance()

    def now(self) -> int:
        """Return the provider's present, in microseconds since 1970."""
        return serving.epoch_microseconds(self.clock())

    def advance(self) -> None:
        """Apply every change that fell due since the last one."""
        due, present = self._next_due(), self.now()
        if self.paused or self._rate <= 0 or due > present:
            return
        with self.store.transaction():
            due = max(due, present - int(_LARGEST_BACKLOG * 60 * SECOND / self._rate))
            number = self.store.setting("next_change") or 1
            while due <= present:
                self._change(number, due)
                number += 1
                due += self._gap(number)
            self.store.set("next_change", number)
            self.store.set("next_due", due)

    def pause(self) -> None:
        """Stop time-driven changes; those due by now are applied."""
        self.advance()
        self.paused = True

    def resume(self) -> None:
        """Let changes happen again, from now on: what was not changed in the pause never will have been."""
        if self.paused:
            self.store.set("next_due", self.now() + self._gap(self.store.setting("next_change") or 1))
            self.paused = False

    def _begin(self, settings: Settings) -> None:
        start = self.now() if settings.start is None else serving.epoch_microseconds(settings.start)
        self.store.set("seed", settings.seed)
        self.store.set("next_change", 1)
        self.store.set("next_due", start)
        self.store.insert(_population(settings, start))

    def _next_due(self) -> int:
        return self.store.setting("next_due") or 0

    def _gap(self, number: int) -> int:
        if self._is_echo(number):
            return _ECHO_DELAY
        return int(60 * SECOND / self._rate * (0.5 + self._dice("gap", number).random()))

    def _dice(self, what: str, number: int) -> random.Random:
        return random.Random(f"{self.seed}/{what}/{number}")

    def _is_echo(self, number: int) -> bool:
        """Say whether a change edits the customer of the one before again, at the same tick of a coarse clock."""
        return number > 1 and self._dice("echo", number).random() < 0.08

    def _change(self, number: int, due: int) -> None:
        dice = self._dice("change", number)
        roll = dice.random()
        if self._is_echo(number) and self._echo(dice):
            return
        if roll < 0.10:
            seq = self.store.last_seq() + 1
            self.store.insert([Row(0, customer_id(seq), due, due - due % SECOND, False, False, invent(self.seed, seq))])
            self.store.set("last_changed", seq)
            return
        row = self._pick(dice)
        if row is None:
            return
        coarse = due - due % SECOND if self._is_echo(number + 1) else due
        if roll < 0.14:
            self.store.update(replace(row, updated_at=due, deleted=True))
        else:
            self.store.update(replace(row, updated_at=max(coarse, row.updated_at), body=edited(row.body, dice)))
            self.store.set("last_changed", row.seq)

    def _echo(self, dice: random.Random) -> bool:
        row = self.store.at_or_after(self.store.setting("last_changed") or 0)
        if row is None or row.deleted or row.verbatim or row.seq != self.store.setting("last_changed"):
            return False
        self.store.update(replace(row, body=edited(row.body, dice)))
        return True

    def _pick(self, dice: random.Random) -> Row | None:
        """Return a customer that is there and whose record is of our making."""
        last = self.store.last_seq()
        for _ in range(_MOST_SEQ_DRAWS if last else 0):
            row = self.store.at_or_after(dice.randint(1, last))
            if row and not row.deleted and not row.verbatim:
                return row
        return None


def _population(settings: Settings, start: int) -> Iterator[Row]:
    """Invent the first customers: a third changed in the last day, the others in the 30 days; some in one import."""
    imported = 0
    for number in range(1, settings.customers + 1):
        dice = random.Random(f"{settings.seed}/age/{number}")
        age = dice.randrange(1, _DAY if dice.random() < 1 / 3 else _HISTORY)
        if number % 500 <= _IMPORT_SIZE and imported:
            updated_at = imported
        else:
            updated_at = start - age
        imported = updated_at if number % 500 == 0 or number == 1 else imported  # noqa: PLR2004
        created_at = updated_at - dice.randrange(_LONGEST_CREATION)
        deleted = dice.random() < 0.01
        body = invent(settings.seed, number)
        yield Row(0, customer_id(number), updated_at, created_at - created_at % SECOND, deleted, False, body)
