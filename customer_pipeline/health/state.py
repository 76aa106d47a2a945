"""The state of the pipeline at an instant, and what it comes to in a sentence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from customer_pipeline.health.day import Day, State
from customer_pipeline.windows import WINDOW_LENGTH, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What is known of the pipeline.

    Attributes:
        at: when.
        day: the 24 hours before.
        as_of: up to where the cache has everything; None where nothing was published, or the cache does not tell.
        gaps: what should have been published by now and was not; None where the cache does not tell.
        lag: how far the cache lies behind; None where that is not known.
        unreadable: why the cache does not tell.
        provider: how the provider answered when it was asked last, in words.
        last_failure: the newest failure within the day, in words.
        failed_run: the id of that run.
    """

    at: datetime
    day: Day
    as_of: datetime | None
    gaps: Sequence[Window] | None
    lag: timedelta | None
    unreadable: str | None
    provider: str
    last_failure: str | None = None
    failed_run: str | None = None

    @property
    def missing(self) -> int | None:
        """How many windows should have been published and were not."""
        return None if self.gaps is None else sum((gap.end - gap.start) // WINDOW_LENGTH for gap in self.gaps)

    @property
    def shown(self) -> str:
        """A text that differs when there is something else to see: not when time has passed and nothing is amiss."""
        letters = "".join(state[0] for state in self.day.states)
        return f"{letters} {self.missing} {self.unreadable} {self.provider}"

    def summary(self) -> str:
        """Return what it comes to, the worst first."""
        if self.unreadable:
            return f"The cache does not tell what it has: {self.unreadable}. Shown is what Dagster remembers."
        if self.gaps:
            told = {
                "Missing windows": f"{self.missing}, since {self.gaps[0].start:%Y-%m-%d %H:%M} UTC",
                "In progress": self.day.count(State.IN_PROGRESS),
                "Given up, for a person to look at": self.day.count(State.GIVEN_UP),
                "Provider": self.provider,
            }
            return " ".join(f"{what}: {value}." for what, value in told.items() if value)
        return "Nothing is missing." if self.as_of else "Nothing was published yet."
