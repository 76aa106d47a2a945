"""The channels that alerts go through, as the environment chooses them: Slack, a webhook, AWS SNS."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from customer_pipeline.alerts.posting import post
from customer_pipeline.alerts.texts import Letter
from customer_pipeline.alerts.topic import publish
from customer_pipeline.variables import ALERT_SLACK_WEBHOOK_URL, ALERT_SNS_TOPIC_ARN, ALERT_WEBHOOK_URL


class Channel(Protocol):
    """Something that takes letters."""

    @property
    def name(self) -> str:
        """The channel's name, in logs and in the outbox."""

    def send(self, letter: Letter) -> None:
        """Send one letter, once.

        Raises:
            AlertNotDelivered: if it was not taken.
        """


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook of Slack, or of what speaks like it."""

    url: str = field(repr=False)
    name: str = "slack"

    def send(self, letter: Letter) -> None:
        """Send title and text."""
        post(self.url, {"text": f"*{_escaped(letter.title)}*\n{_escaped(letter.text)}"}, channel=self.name)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Any receiver of JSON; the fields are in docs/alerts.md."""

    url: str = field(repr=False)
    name: str = "webhook"

    def send(self, letter: Letter) -> None:
        """Send all fields."""
        post(self.url, letter.body, channel=self.name)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of AWS SNS."""

    arn: str
    name: str = "sns"

    def send(self, letter: Letter) -> None:
        """Publish title and text."""
        publish(self.arn, letter, channel=self.name)


def configured(environ: Mapping[str, str]) -> list[Channel]:
    """Return the channels that are set.

    Raises:
        ValueError: if one is malformed; `Settings` says which, and refuses to start.
    """
    channels: list[Channel] = []
    if slack := environ.get(ALERT_SLACK_WEBHOOK_URL.name):
        channels.append(Slack(ALERT_SLACK_WEBHOOK_URL.parse(slack)))
    if webhook := environ.get(ALERT_WEBHOOK_URL.name):
        channels.append(Webhook(ALERT_WEBHOOK_URL.parse(webhook)))
    if topic := environ.get(ALERT_SNS_TOPIC_ARN.name):
        channels.append(Topic(ALERT_SNS_TOPIC_ARN.parse(topic)))
    return channels


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
