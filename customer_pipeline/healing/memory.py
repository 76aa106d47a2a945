"""What the heal remembers between two evaluations: what it asked for, what failed, and what it gave up. Pure.

It is kept as the sensor's cursor, which a restart leaves alone. What never failed is not in it, and what was given up
is there as ranges, so that it stays small however long a gap is.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from customer_pipeline.healing.gaps import count
from customer_pipeline.timestamps import format_instant, parse_instant
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous

_FORM = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A range that was requested, and what is known of it since.

    Attributes:
        windows: the range.
        tries: how often it failed as it is.
        given_up: whether a person was asked for help; it is tried again all the same, but seldom.
        part: whether it was cut out of a range that failed.
        failed: when it failed last.
        doubted: the end of the newest published window when the range was refused for good. A refusal can be the
            provider's as a whole: the range is asked once more after a newer window was published, and cut only then.
        run_key: of the request that is outstanding; empty where none is.
        requested: when that was requested.
    """

    windows: Window
    tries: int = 0
    part: bool = False
    given_up: bool = False
    failed: datetime | None = None
    doubted: datetime | None = None
    run_key: str = ""
    requested: datetime | None = None

    @property
    def outstanding(self) -> bool:
        """Whether it is requested, and the outcome not known."""
        return bool(self.run_key)

    @property
    def single(self) -> bool:
        """Whether it is one window."""
        return self.windows.end - self.windows.start == WINDOW_LENGTH

    def idle(self, windows: Window) -> Self:
        """Return the same for `windows` of it, with no request outstanding."""
        return replace(self, windows=windows, run_key="", requested=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """All of it.

    Attributes:
        configuration: the fingerprint of the configuration under which things failed.
        attempts: disjoint, oldest first.
        settled: ranges that are not asked for any more, oldest first.
    """

    configuration: str = ""
    attempts: tuple[Attempt, ...] = ()
    settled: tuple[Window, ...] = ()

    @property
    def given_up(self) -> list[Window]:
        """The windows that need a person, as contiguous ranges, oldest first."""
        return contiguous([*self.settled, *(attempt.windows for attempt in self.attempts if attempt.given_up)])

    def under(self, configuration: str) -> Self:
        """Return what still holds under `configuration`: after a change, only that some requests are outstanding."""
        if configuration == self.configuration:
            return self
        outstanding = [
            Attempt(windows=attempt.windows, run_key=attempt.run_key, requested=attempt.requested)
            for attempt in self.attempts
            if attempt.outstanding
        ]
        return replace(self, configuration=configuration, attempts=tuple(outstanding), settled=())

    @classmethod
    def parse(cls, cursor: str | None) -> Self:
        """Return what a cursor holds; one that cannot be read is forgotten, and that is logged."""
        if not cursor:
            return cls()
        try:
            content = json.loads(cursor)
            if content["form"] != _FORM:
                log.warning("the heal's cursor has form %s, not %s: it starts anew", content["form"], _FORM)
                return cls()
            return cls(
                configuration=str(content["configuration"]),
                attempts=tuple(_attempt(one) for one in content["attempts"]),
                settled=tuple(_range(one) for one in content["given_up"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            log.warning("the heal's cursor cannot be read (%s): it starts anew", type(error).__name__)
            return cls()

    def dump(self) -> str:
        """Return a cursor that `parse` reads."""
        content = {
            "form": _FORM,
            "configuration": self.configuration,
            "attempts": [_content(attempt) for attempt in self.attempts],
            "given_up": [_name(one) for one in self.settled],
        }
        return json.dumps(content, separators=(",", ":"))


def _name(windows: Window) -> list[str | int]:
    return [windows.key, count([windows])]


def _range(content: Any) -> Window:
    key, length = content
    start = Window.from_key(key).start
    return Window(start, start + length * WINDOW_LENGTH)


def _content(attempt: Attempt) -> dict[str, Any]:
    instants = {"failed": attempt.failed, "doubted": attempt.doubted, "requested": attempt.requested}
    facts = {
        "tries": attempt.tries,
        "part": attempt.part,
        "given_up": attempt.given_up,
        "run_key": attempt.run_key,
    }
    return {
        "windows": _name(attempt.windows),
        **{name: value for name, value in facts.items() if value},
        **{name: format_instant(instant) for name, instant in instants.items() if instant},
    }


def _attempt(content: Mapping[str, Any]) -> Attempt:
    instants = {name: parse_instant(content[name]) for name in ("failed", "doubted", "requested") if content.get(name)}
    return Attempt(
        windows=_range(content["windows"]),
        tries=int(content.get("tries", 0)),
        part=bool(content.get("part", False)),
        given_up=bool(content.get("given_up", False)),
        run_key=str(content.get("run_key", "")),
        **instants,
    )
