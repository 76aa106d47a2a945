"""The sensor's cursor: what the alerts remember, as JSON."""

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from customer_pipeline.alerts.outbox import Outbox
from customer_pipeline.alerts.state import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """The state of the alerts, and what the channels have not taken yet."""

    state: State = field(default_factory=State)
    outbox: Outbox = field(default_factory=Outbox)

    @classmethod
    def parse(cls, cursor: str | None) -> "Memory":
        """Return what `dump` wrote; without it, or where it is not readable, an empty memory."""
        try:
            return _FORM.validate_json(cursor or "{}")
        except (ValueError, TypeError, KeyError):
            return cls()

    def dump(self) -> str:
        """Return it as the text of a cursor."""
        return _FORM.dump_json(self).decode()


_FORM = TypeAdapter(Memory)
