"""The sandbox's world: customers that change as time passes. No HTTP.

Changes are numbered. What the nth does, and how long it keeps the next one waiting, follows from the seed and n alone;
a change that fell due while nobody asked is applied at the next request, at the instant at which it was due.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from customer_pipeline import timestamps
from customer_pipeline.sandbox.dirt import Mixture
from customer_pipeline.sandbox.people import customer_id, edited, invent
from customer_pipeline.sandbox.population import SECOND, first_customers
from customer_pipeline.sandbox.store import Row, Store

_MINUTE = 60 * SECOND
_ECHO_DELAY = SECOND // 5
_SHARE_OF_ECHOES = 0.08
_LARGEST_BACKLOG = 20_000
_MOST_DRAWS = 20
_CHANGES = Mixture(create=10, delete=4, edit=86)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What a new world is made of; one that continues keeps its customers, seed and history, not its pace.

    Attributes:
        customers: how many there are at first.
        seed: the same seed invents the same customers and changes.
        changes_per_minute: how many edits, new customers and deletions a minute brings; 0 for none.
        start: when time begins to pass, the first customers being older; now, when left out.
    """

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
        self._rate = settings.changes_per_minute
        if store.setting("seed") is None:
            with store.transaction():
                self._begin(settings)
        self._seed = store.needed("seed")
        if self._rate <= 0:
            store.set("still", 1)
        elif store.setting("still"):
            store.set("still", 0)
            self._continue_from(self.now() + self._gap(self.changes + 1))
        self.advance()

    @property
    def paused(self) -> bool:
        """Whether changes wait; a restart does not end that."""
        return bool(self.store.setting("paused"))

    @property
    def changes(self) -> int:
        """How many changes there were."""
        return self.store.needed("next_change") - 1

    def now(self) -> int:
        """Return the provider's present, in microseconds since 1970."""
        return timestamps.epoch_microseconds(self.clock())

    def advance(self) -> None:
        """Apply every change that fell due since the last one; of a very long sleep, the last ones only."""
        due, present = self.store.needed("next_due"), self.now()
        if self.paused or self._rate <= 0 or due > present:
            return
        awake_since = present - int(_LARGEST_BACKLOG * _MINUTE / self._rate)
        number = self.store.needed("next_change")
        with self.store.transaction():
            if due < awake_since:
                self._continue_from(awake_since)
                due = awake_since
            while due <= present:
                self._change(number, due)
                number += 1
                due += self._gap(number)
            self.store.set("next_change", number)
            self.store.set("next_due", due)

    def pause(self) -> None:
        """Stop time-driven changes; those due by now are applied."""
        self.advance()
        self.store.set("paused", 1)

    def resume(self) -> None:
        """Let changes happen again, from now on: a change never shows up long after its `updated_at`."""
        if self.paused:
            self.store.set("paused", 0)
            if self._rate > 0:
                self._continue_from(self.now() + self._gap(self.changes + 1))

    def _continue_from(self, due: int) -> None:
        """Skip a stretch of time; no echo may sound across it, its `updated_at` would be long past."""
        self.store.set("next_due", due)
        self.store.set("last_edited", 0)

    def _begin(self, settings: Settings) -> None:
        start = self.now() if settings.start is None else timestamps.epoch_microseconds(settings.start)
        self.store.insert(first_customers(count=settings.customers, seed=settings.seed, start=start))
        for name, value in (
            ("seed", settings.seed),
            ("next_change", 1),
            ("next_due", start + SECOND),
            ("last_edited", 0),
        ):
            self.store.set(name, value)

    def _dice(self, what: str, number: int) -> random.Random:
        return random.Random(f"{self._seed}/{what}/{number}")

    def _gap(self, number: int) -> int:
        if self._is_echo(number):
            return _ECHO_DELAY
        return int(_MINUTE / self._rate * (0.5 + self._dice("gap", number).random()))

    def _is_echo(self, number: int) -> bool:
        """Say whether a change edits the customer of the one before again, within the same tick of a coarse clock."""
        return self._dice("echo", number).random() < _SHARE_OF_ECHOES

    def _change(self, number: int, due: int) -> None:
        dice = self._dice("change", number)
        edited_before = self.store.at(self.store.needed("last_edited")) if self._is_echo(number) else None
        self.store.set("last_edited", 0)
        change = _CHANGES.draw(dice)
        if edited_before and self._is_ours(edited_before):
            self.store.update(replace(edited_before, body=edited(edited_before.body, dice)))
        elif change == "create":
            self._create(due)
        elif (row := self._any(dice)) and change == "delete":
            self.store.update(replace(row, updated_at=max(due, row.updated_at), deleted=True))
        elif row:
            tick = due - due % SECOND if self._is_echo(number + 1) else due
            self.store.update(replace(row, updated_at=max(tick, row.updated_at), body=edited(row.body, dice)))
            self.store.set("last_edited", row.seq)

    def _create(self, due: int) -> None:
        number = self.store.last_seq() + 1
        created_at = due - due % SECOND
        body = invent(self._seed, number)
        self.store.insert(
            [Row(0, customer_id(number), due, created_at, deleted=False, verbatim=False, body=body)],
        )

    def _any(self, dice: random.Random) -> Row | None:
        """Return a customer that is there and whose record is of our making."""
        last = self.store.last_seq()
        for _ in range(_MOST_DRAWS if last else 0):
            row = self.store.at_or_after(dice.randint(1, last))
            if row and self._is_ours(row):
                return row
        return None

    @staticmethod
    def _is_ours(row: Row) -> bool:
        return not row.deleted and not row.verbatim
