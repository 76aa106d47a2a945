"""One evaluation's deliveries: what is new and what waits goes to the channels; what went wrong becomes a log."""

from collections.abc import Sequence
from datetime import datetime

from customer_pipeline.alerts.channels import Channel
from customer_pipeline.alerts.courier import send_all
from customer_pipeline.alerts.messages import Message
from customer_pipeline.alerts.outbox import Outbox
from customer_pipeline.alerts.texts import Sender


def deliver(
    outbox: Outbox, messages: Sequence[Message], *, channels: Sequence[Channel], sender: Sender, now: datetime
) -> tuple[Outbox, list[str]]:
    """Try to send `messages` and what waits in `outbox`; return what waits afterwards, and what went wrong."""
    outbox = outbox.add(messages, channels=[channel.name for channel in channels])
    due = outbox.due(now)
    batches = [
        (channel, [sender.letter(message) for message in due[channel.name]])
        for channel in channels
        if channel.name in due
    ]
    problems = []
    for outcome in send_all(batches):
        outbox = outbox.delivered(outcome.channel, outcome.delivered)
        if outcome.failure:
            outbox, dropped = outbox.failed(outcome.channel, now)
            problems.append(str(outcome.failure))
            problems += [f"{outcome.channel} never took {sender.letter(each).title!r}; dropped" for each in dropped]
    return outbox, problems
