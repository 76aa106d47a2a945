"""What can go wrong with an alert. No message holds a webhook's address: it is a secret."""


class AlertNotDelivered(Exception):  # noqa: N818 -- says what happened
    """A channel did not take a message.

    Attributes:
        channel: the name of the channel.
        reason: why, in a few words.
    """

    def __init__(self, channel: str, reason: str) -> None:
        self.channel = channel
        self.reason = reason
        super().__init__(f"the alert was not delivered to {channel}: {reason}")
