"""Messages that wait for a channel to take them: at least once each, with growing pauses. Pure.

What a person may still have to act upon waits until it is taken; news of a heal, and of a job that has succeeded again,
is of no use after an hour.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from customer_pipeline.alerts.messages import Instant, Message
from customer_pipeline.alerts.state import bounded
from customer_pipeline.healing.gaps import count
from customer_pipeline.windows import Window, contiguous

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
KEPT_FOR = timedelta(hours=1)

# What a healed outage makes needless to tell: the message about the heal says it too.
_SUPERSEDED = {"outage_started", "needs_person", "outage_returned"}
_GOOD_NEWS = {"outage_healed", "job_recovered"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """What one channel has not taken yet, oldest first.

    Attributes:
        messages: what waits.
        failures: how many tries failed since one succeeded.
        not_before: when it is tried again; None for at once.
    """

    messages: tuple[Message, ...] = ()
    failures: int = 0
    not_before: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outbox:
    """The queues of the channels, by name."""

    queues: Mapping[str, Queue] = field(default_factory=dict)

    def add(self, messages: Iterable[Message], *, channels: Iterable[str]) -> "Outbox":
        """Add `messages` for each of `channels`; what waits for another channel is forgotten."""
        new = list(messages)
        healed = {message.outage for message in new if message.event == "outage_healed"}
        recovered = {message.job for message in new if message.event == "job_recovered"}
        queues = {}
        for channel in channels:
            queue = self.queues.get(channel, Queue())
            waiting = [*queue.messages, *new]
            kept = [
                each
                for each in waiting
                if not (each.event in _SUPERSEDED and each.outage in healed)
                and not (each.event == "job_failed" and each.job in recovered)
            ]
            queues[channel] = replace(queue, messages=tuple(kept))
        return Outbox(queues=queues)

    def due(self, now: datetime) -> dict[str, tuple[Message, ...]]:
        """Return what is to be tried now, by channel."""
        return {
            channel: queue.messages
            for channel, queue in self.queues.items()
            if queue.messages and (queue.not_before is None or queue.not_before <= now)
        }

    def delivered(self, channel: str, number: int) -> "Outbox":
        """Return the outbox after `channel` has taken the first `number` of its messages."""
        queue = self.queues[channel]
        return self._with(channel, Queue(messages=queue.messages[number:]) if number else queue)

    def failed(self, channel: str, now: datetime) -> tuple["Outbox", tuple[Message, ...]]:
        """Return the outbox after a failed try, and the messages that are not tried again.

        These are older than `KEPT_FOR`, and either good news or followed by another of their event and job, which names
        the windows that they gave up.
        """
        queue = self.queues[channel]
        newest = {(each.event, each.job): each for each in queue.messages if each.event not in _GOOD_NEWS}
        dropped = tuple(
            each
            for each in queue.messages
            if now - each.at >= KEPT_FOR and newest.get((each.event, each.job)) is not each
        )
        given_up = [window for each in dropped if each.event == "windows_given_up" for window in each.given_up]
        kept = tuple(
            _naming(given_up, each) if given_up and newest.get(("windows_given_up", None)) is each else each
            for each in queue.messages
            if each not in dropped
        )
        failures = queue.failures + 1
        pause = min(FIRST_PAUSE * 2 ** min(queue.failures, 10), LONGEST_PAUSE)
        return self._with(channel, Queue(messages=kept, failures=failures, not_before=now + pause)), dropped

    def _with(self, channel: str, queue: Queue) -> "Outbox":
        return Outbox(queues={**self.queues, channel: queue})


def _naming(windows: Iterable[Window], message: Message) -> Message:
    given_up = contiguous([*windows, *message.given_up])
    return replace(message, given_up=bounded(given_up), windows=count(given_up))
