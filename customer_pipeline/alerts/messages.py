"""What is told: the facts of one message. Its text is made from them; until it is delivered they wait in the cursor."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer

from customer_pipeline.timestamps import format_instant, parse_instant
from customer_pipeline.windows import Window


def interval(window: Window) -> dict[str, str]:
    """Return a range as the cache contract writes it."""
    return {"start": format_instant(window.start), "end": format_instant(window.end)}


def _instant(value: Any) -> Any:
    return parse_instant(value) if isinstance(value, str) else value


def _window(value: Any) -> Any:
    return Window(parse_instant(value["start"]), parse_instant(value["end"])) if isinstance(value, dict) else value


# In JSON as the cache contract has them.
Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(format_instant)]
Interval = Annotated[Window, BeforeValidator(_window), PlainSerializer(interval)]
Event = Literal[
    "outage_started",
    "needs_person",
    "outage_returned",
    "windows_given_up",
    "outage_healed",
    "job_failed",
    "job_recovered",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message.

    Attributes:
        event: what happened.
        at: when it was noticed.
        outage: when the outage was noticed that it belongs to, the same in all of its messages; None outside of one.
        since: since when the cache is stale, or the job fails; None outside of both.
        cause: the kind of the cause; None where it is not known.
        permanent: whether the cause needs a person.
        windows: how many windows lack, were healed, or were given up.
        given_up: the ranges that were given up.
        customers_changed: how many customers the healed windows changed; None unless healed.
        run_id: the run that failed, or has succeeded.
        job: the job that it is about; None where it is about windows.
        told: the line by which the job's run explains its failure.
    """

    event: Event
    at: Instant
    outage: Instant | None = None
    since: Instant | None = None
    cause: str | None = None
    permanent: bool = False
    windows: int = 0
    given_up: tuple[Interval, ...] = ()
    customers_changed: int | None = None
    run_id: str | None = None
    job: str | None = None
    told: str | None = None

    @property
    def id(self) -> str:
        """The same whenever it is sent again."""
        return "/".join([self.event, *([self.job] if self.job else []), format_instant(self.at)])

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to do something."""
        return self.permanent or bool(self.given_up)
