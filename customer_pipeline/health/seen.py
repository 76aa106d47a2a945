"""What was reported last, so that a report is made when there is something new. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from customer_pipeline.timestamps import format_instant, parse_instant

# Without a run that ends, the windows still grow old: this often they are looked at.
LOOK_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What the last report knew.

    Attributes:
        looked: when the day was looked at last.
        ended: when the run ended that was the last to end by then.
        shown: what was reported, as a text that differs when something else is to be shown.
    """

    looked: datetime
    ended: datetime
    shown: str

    def is_old(self, at: datetime) -> bool:
        """Return whether the day is to be looked at although no run has ended."""
        return at - self.looked >= LOOK_AFTER

    @classmethod
    def parse(cls, cursor: str | None) -> Self | None:
        """Return what a cursor holds; None where it holds nothing that can be read, and all is new."""
        try:
            content = json.loads(cursor or "")
            return cls(
                looked=parse_instant(content["looked"]),
                ended=parse_instant(content["ended"]),
                shown=str(content["shown"]),
            )
        except (ValueError, TypeError, KeyError):
            return None

    def dump(self) -> str:
        """Return a cursor that `parse` reads."""
        content = {"looked": format_instant(self.looked), "ended": format_instant(self.ended), "shown": self.shown}
        return json.dumps(content)
