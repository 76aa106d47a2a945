"""From the facts of a message to sentences that a person on call understands at three in the morning. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from customer_pipeline.alerts import job_words
from customer_pipeline.alerts.causes import Cause
from customer_pipeline.alerts.messages import Message, interval
from customer_pipeline.alerts.state import State
from customer_pipeline.healing.gaps import count
from customer_pipeline.timestamps import format_instant
from customer_pipeline.windows import WINDOW_LENGTH, Window

_MOST_RANGES = 20
_BY_ITSELF = "the missing windows are healed without you, and you get one more message"


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A message as the channels send it.

    Attributes:
        id: the same whenever it is sent again.
        event: what happened.
        title: one line of ASCII text.
        text: a few lines.
        body: the fields of the generic webhook.
    """

    id: str
    event: str
    title: str
    text: str
    body: dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """Who tells: the name of the pipeline, and the address of its Dagster UI, if it is known."""

    name: str
    webserver_url: str | None = None

    def letter(self, message: Message) -> Letter:
        """Write `message` down."""
        url = self._link(message)
        title = f"{self.name}: {_headline(message)}"
        text = "\n".join([*_sentences(message), *([url] if url else [])])
        duration = message.at - message.since if message.since and message.event == "outage_healed" else None
        body: dict[str, object] = {
            "id": message.id,
            "event": message.event,
            "pipeline": self.name,
            "title": title,
            "text": text,
            "needs_person": message.needs_person,
            "at": format_instant(message.at),
            "outage": message.outage and format_instant(message.outage),
            "since": message.since and format_instant(message.since),
            "cause": message.cause,
            "job": message.job,
            "windows": message.windows,
            "windows_given_up": [interval(window) for window in message.given_up],
            "duration_seconds": None if duration is None else round(duration.total_seconds()),
            "customers_changed": message.customers_changed,
            "url": url,
        }
        return Letter(id=message.id, event=message.event, title=title, text=text, body=body)

    def _link(self, message: Message) -> str | None:
        if not self.webserver_url:
            return None
        path = f"runs/{message.run_id}" if message.run_id else "assets/customer_cache?view=partitions"
        return f"{self.webserver_url.rstrip('/')}/{path}"


def summary(state: State) -> str:
    """Return in a line what the alerts think at present."""
    told = [f"{job} fails since {_at(known.failing_since)}" for job, known in state.jobs.items() if known.failing_since]
    if state.outage:
        cause = Cause(state.outage.cause).headline
        missed = _windows(count(state.outage.windows))
        told = [f"{cause}; stale since {_at(state.outage.since)}, {missed} missed", *told]
    unreadable = ["the cache cannot be read"] if state.unreadable_since and not state.outage else []
    return "; ".join([*unreadable, *([f"told already: {'; '.join(told)}"] if told else [])]) or "nothing to tell"


def _headline(message: Message) -> str:
    cause = _cause(message).headline
    match message.event:
        case "windows_given_up":
            return f"needs you: {_windows(message.windows)} given up"
        case "outage_healed":
            healed = f"healed after {_duration(message)}"
            return f"{healed}, but for {_windows(count(message.given_up))}" if message.given_up else healed
        case "outage_returned":
            cause = f"back again: {cause}"
        case "job_failed" | "job_recovered":
            cause = job_words.headline(message)
        case _:
            pass
    return f"needs you: {cause}" if message.permanent else cause


def _sentences(message: Message) -> list[str]:
    cause = _cause(message)
    since = f"Stale since {_at(message.since)}." if message.since else ""
    missing = f"Missing: {_windows(message.windows)}." if message.windows else "No window is known to be missing yet."
    match message.event:
        case "windows_given_up":
            return [
                f"The heal has given up: {_ranges(message.given_up)}. Everything else is healed by itself.",
                "Needs you: look at the failed runs of these windows, then materialize the windows again.",
            ]
        case "outage_healed":
            lines = [
                f"From {_at(message.since)} to {_at(message.at)}: {cause.headline}.",
                f"Healed: {_windows(message.windows)}. Customers changed: {message.customers_changed or 0:,}.",
            ]
            if message.given_up:
                return [*lines, f"Needs you: {_ranges(message.given_up)} given up; see the message about it."]
            return [*lines, "Nothing is left to do."]
        case "job_failed" | "job_recovered":
            return job_words.sentences(message)
        case _:
            pass
    if message.permanent:
        next_step = f"Needs you: {cause.needs} Once a run succeeds, {_BY_ITSELF}."
    elif cause.passes:
        next_step = f"Nothing to do now: every tick tries again; once one succeeds, {_BY_ITSELF}."
    else:
        next_step = f"What you can do: {cause.needs} Once a run succeeds, {_BY_ITSELF}."
    readers = "" if cause.is_of_cache else " Readers keep what the cache holds."
    return [f"{cause.sentence} {since}".strip(), f"{missing}{readers}", next_step]


def _cause(message: Message) -> Cause:
    return Cause(message.cause or "", message.permanent)


def _windows(number: int) -> str:
    return f"{number:,} window{'' if number == 1 else 's'}"


def _ranges(ranges: Iterable[Window]) -> str:
    """Name windows by their partition keys, as the UI has them."""
    names = []
    for window in ranges:
        last = Window(window.end - WINDOW_LENGTH, window.end)
        names.append(window.key if last.key == window.key else f"{window.key}...{last.key}")
    more = len(names) - _MOST_RANGES
    return ", ".join(names[:_MOST_RANGES]) + (f" and {more} more ranges" if more > 0 else "")


def _at(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "an unknown time"


def _duration(message: Message) -> str:
    length = message.at - message.since if message.since else timedelta()
    hours, minutes = divmod(round(length.total_seconds() / 60), 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(filter(None, parts)) or "less than a minute"
