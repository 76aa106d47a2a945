"""Sends to all channels side by side, and never takes longer than it was given."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from customer_pipeline.alerts.channels import Channel
from customer_pipeline.alerts.errors import AlertNotDelivered
from customer_pipeline.alerts.texts import Letter

LONGEST_ROUND = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one channel's letters.

    Attributes:
        channel: the channel's name.
        delivered: how many it took, from the first on.
        failure: why it took no more; None when it took all.
    """

    channel: str
    delivered: int
    failure: AlertNotDelivered | None


class _Errand(threading.Thread):
    """Sends letters to one channel, in order, up to the first that it does not take."""

    def __init__(self, channel: Channel, letters: Sequence[Letter]) -> None:
        super().__init__(name=f"alert-{channel.name}", daemon=True)
        self.channel = channel
        self.letters = letters
        self.delivered = 0
        self.failure: AlertNotDelivered | None = None
        self.called_off = False

    def run(self) -> None:
        for letter in self.letters:
            if self.called_off:
                return
            try:
                self.channel.send(letter)
            except AlertNotDelivered as error:
                self.failure = error
                return
            except Exception as error:  # noqa: BLE001 -- an alert that fails must not fail the sensor
                self.failure = AlertNotDelivered(self.channel.name, type(error).__name__)
                return
            self.delivered += 1

    def outcome(self, deadline: float) -> Outcome:
        """Wait until it is done or `deadline`, on the monotonic clock, has passed."""
        self.join(max(0.0, deadline - time.monotonic()))
        delivered, failure = self.delivered, self.failure
        if self.is_alive():
            self.called_off = True
            failure = AlertNotDelivered(self.channel.name, "no answer in time")
        return Outcome(self.channel.name, delivered, failure)


def send_all(
    batches: Sequence[tuple[Channel, Sequence[Letter]]], *, within: timedelta = LONGEST_ROUND
) -> list[Outcome]:
    """Send each channel its letters.

    A channel that is not done in time is left behind. Its thread ends when its connection does, and until then the
    channel is not tried again: whatever a receiver does, it holds one thread at most.
    """
    deadline = time.monotonic() + within.total_seconds()
    behind = {thread.name for thread in threading.enumerate() if isinstance(thread, _Errand)}
    errands = []
    outcomes = []
    for channel, letters in batches:
        errand = _Errand(channel, letters)
        if errand.name in behind:
            failure = AlertNotDelivered(channel.name, "the try before has not ended yet")
            outcomes.append(Outcome(channel.name, 0, failure))
        else:
            errand.start()
            errands.append(errand)
    return outcomes + [errand.outcome(deadline) for errand in errands]
