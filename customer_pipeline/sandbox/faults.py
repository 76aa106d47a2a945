"""The faults that can be switched on at run time: their names, and which of them strikes a request. No HTTP."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from customer_pipeline import timestamps
from customer_pipeline.sandbox.query import BadRequestError, parse_instant
from customer_pipeline.sandbox.store import Bounds

FOREIGN = "http://foreign.invalid"
FAULTS = {
    "down": "the connection is closed without an answer",
    "hang": "the request is accepted and never answered",
    "error_500": "500 with JSON",
    "error_503": "503 with JSON",
    "error_503_retry_after": "503 with Retry-After (seconds=30, form=seconds|date)",
    "throttle": "429 without Retry-After",
    "throttle_retry_after": "429 with Retry-After (seconds=30, form=seconds|date)",
    "slow": "latency (seconds=1), then a dribbled body (chunks=10, pause=0.05)",
    "truncated": "the body is cut (kind=length: shorter than announced; kind=json: cut JSON of the announced length)",
    "html": "200 with an HTML page",
    "html_500": "500 with an HTML page",
    "expired_token": "401 for every token",
    "clock_skew": "the Date header and new edits are ahead of time (seconds=90)",
    "looping_cursor": "the next cursor or link never changes (kind=restart: a cursor restarts at page one)",
    "filter_ignored": "every customer is listed, whatever was asked for",
    "foreign_link": "the next link leads to another origin (to=http://foreign.invalid)",
    "redirect_foreign": "302 to another origin (to=http://foreign.invalid)",
    "empty_200": "200 with no records",
    "half_200": "200 with every other customer, and a total that agrees",
    "page_repeats": "every page holds the records of the first",
    "edits_during_walk": (
        "after each page, customers change (count=1 a page, total=10 altogether, kind=edit|delete, "
        "which=first|last|next: the list's first, the page's last, the next page's)"
    ),
}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class UnknownFaultError(ValueError):
    """There is no fault of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no fault {name}; there are {', '.join(FAULTS)}")


@dataclass(slots=True)
class Fault:
    """A fault that is switched on; `after` and `times` count down as requests come.

    Attributes:
        until: when it ends by itself; None is never.
        probability: how likely it strikes a request.
        after: how many requests it still lets pass.
        times: how many requests it still strikes; None is all.
        holding: strikes only lists whose bounds hold this instant, in microseconds; None is every request.
        options: what its description names.
        cleared: whether it was switched off; an exhausted fault waits for that too.
    """

    name: str
    until: datetime | None = None
    probability: float = 1.0
    after: int = 0
    times: int | None = None
    holding: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    cleared: bool = False

    def number(self, name: str, default: float) -> float:
        """Return an option as a number."""
        return float(self.options.get(name, default))

    def concerns(self, bounds: Bounds | None) -> bool:
        """Return whether a request with these bounds may be struck; None are those of a request for no list."""
        if self.holding is None:
            return True
        if bounds is None:
            return False
        begun = bounds.since is None or bounds.since <= self.holding
        return begun and (bounds.until is None or self.holding < bounds.until)

    @property
    def is_exhausted(self) -> bool:
        """Whether it has struck as often as it was to."""
        return self.times == 0 or self.number("total", 1) <= 0

    def described(self) -> dict[str, object]:
        """Return the fault as JSON."""
        return {
            "name": self.name,
            "description": FAULTS[self.name],
            "until": None if self.until is None else timestamps.format_instant(self.until),
            "probability": self.probability,
            "after": self.after,
            "times": self.times,
            "options": self.options,
        }


class Faults:
    """The faults that are switched on."""

    def __init__(self, *, clock: Callable[[], datetime] = timestamps.now) -> None:
        self._clock = clock
        self._faults: dict[str, Fault] = {}
        self._dice = random.Random()

    def switch_on(self, name: str, query: Mapping[str, str]) -> Fault:
        """Switch a fault on, or anew.

        Raises:
            UnknownFaultError: if there is no such fault.
            BadRequestError: if an option has no such value.
        """
        if name not in FAULTS:
            raise UnknownFaultError(name)
        options = dict(query)
        lasting = options.pop("for", None)
        try:
            fault = Fault(
                name,
                until=None if lasting is None else self._clock() + _duration(lasting),
                probability=float(options.pop("probability", "1")),
                after=int(options.pop("after", "0")),
                times=int(options.pop("times")) if "times" in options else None,
                holding=parse_instant(options.pop("holding")) if "holding" in options else None,
                options=options,
            )
            for option in ("seconds", "chunks", "pause", "count", "total"):
                fault.number(option, 0)
        except ValueError as error:
            raise BadRequestError(f"a fault's numbers are numbers: {error}") from error
        self.clear(name)
        self._faults[name] = fault
        return fault

    def clear(self, name: str | None = None) -> None:
        """Switch one fault off, or all.

        Raises:
            UnknownFaultError: if there is no such fault.
        """
        if name is not None and name not in FAULTS:
            raise UnknownFaultError(name)
        for cleared in list(self._faults) if name is None else [name]:
            if fault := self._faults.pop(cleared, None):
                fault.cleared = True

    def is_over(self, fault: Fault) -> bool:
        """Say whether a fault was switched off or ended by itself."""
        return fault.cleared or (fault.until is not None and self._clock() >= fault.until)

    def active(self, name: str) -> Fault | None:
        """Return a fault that is switched on, without counting a request."""
        fault = self._faults.get(name)
        return None if fault is None or fault.is_exhausted or self.is_over(fault) else fault

    def all_active(self) -> list[Fault]:
        """Return every fault that is switched on."""
        return [fault for name in self._faults if (fault := self.active(name))]

    def strike(self, name: str, bounds: Bounds | None = None) -> Fault | None:
        """Return the fault if it strikes the present request, for a list with these bounds, and count that."""
        fault = self.active(name)
        if fault is None or not fault.concerns(bounds):
            return None
        if fault.after > 0:
            fault.after -= 1
            return None
        if self._dice.random() >= fault.probability:
            return None
        if fault.times is not None:
            fault.times -= 1
        return fault

    def clock(self) -> datetime:
        """Return the provider's present: ahead of time while its clock is skewed."""
        skew = self.active("clock_skew")
        return self._clock() + timedelta(seconds=skew.number("seconds", 90.0) if skew else 0.0)


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if not match:
        raise BadRequestError("for is a number with a unit, such as 500ms, 30s, 15m or 1h")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
