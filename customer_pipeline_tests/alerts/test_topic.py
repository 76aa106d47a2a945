"""AWS SNS, against moto's server: what is published is read back through a queue that subscribes to the topic."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from customer_pipeline.alerts.channels import Topic
from customer_pipeline.alerts.courier import send_all
from customer_pipeline.alerts.errors import AlertNotDelivered
from customer_pipeline.alerts.texts import Letter
from customer_pipeline_tests.alerts.receivers import Receiver
from customer_pipeline_tests.servers import ServerProcess, free_port, wait_until

REGION = "eu-central-2"
LETTER = Letter(
    id="outage_started/1",
    event="outage_started",
    title="crm (Zürich): provider unavailable",
    text="One.\nTwo.",
    body={},
)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with ServerProcess(command, port, log=tmp_path_factory.mktemp("moto") / "moto.log"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def _credentials(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-and-more")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", aws)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


class Subscribed:
    """A topic with a queue that subscribes to it."""

    def __init__(self, endpoint: str, name: str, **attributes: str) -> None:
        session = boto3.session.Session(region_name=REGION)
        self.sqs = session.client("sqs", endpoint_url=endpoint)
        sns = session.client("sns", endpoint_url=endpoint)
        self.arn: str = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName=f"queue-of-{name}", Attributes=attributes)["QueueUrl"]
        attributes_of_queue = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=attributes_of_queue["Attributes"]["QueueArn"])

    def messages(self) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


def test_a_topic_gets_subject_text_and_attributes(aws: str) -> None:
    subscribed = Subscribed(aws, "on-call")
    Topic(subscribed.arn).send(LETTER)
    (message,) = subscribed.messages()
    assert message["TopicArn"] == subscribed.arn == f"arn:aws:sns:{REGION}:123456789012:on-call"
    assert message["Subject"] == "crm (Z?rich): provider unavailable"
    assert message["Message"] == LETTER.text
    assert {name: value["Value"] for name, value in message["MessageAttributes"].items()} == {
        "event": LETTER.event,
        "id": LETTER.id,
    }


def test_a_subject_is_cut_to_what_sns_takes(aws: str) -> None:
    subscribed = Subscribed(aws, "cut")
    Topic(subscribed.arn).send(replace(LETTER, title="long\n" * 50))
    (message,) = subscribed.messages()
    assert len(message["Subject"]) == 99
    assert message["Subject"].startswith("long long ")
    assert message["Subject"].endswith("...")


def test_a_fifo_topic_gets_a_message_that_is_sent_again_only_once(aws: str) -> None:
    subscribed = Subscribed(aws, "ordered.fifo", FifoTopic="true", FifoQueue="true")
    Topic(subscribed.arn).send(LETTER)
    Topic(subscribed.arn).send(LETTER)
    assert len(subscribed.messages()) == 1


def refusal(arn: str) -> str:
    with pytest.raises(AlertNotDelivered) as caught:
        Topic(arn).send(LETTER)
    assert caught.value.__context__ is None
    assert "hunter2" not in str(caught.value)
    return caught.value.reason


def test_a_topic_that_does_not_exist_is_named_by_the_code_of_the_error() -> None:
    assert refusal(f"arn:aws:sns:{REGION}:123456789012:nowhere") == "SNS refused it (NotFound)"


def test_a_service_that_cannot_be_reached_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", f"http://127.0.0.1:{free_port()}")
    assert refusal(f"arn:aws:sns:{REGION}:123456789012:on-call") == "EndpointConnectionError"


def test_missing_credentials_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert refusal(f"arn:aws:sns:{REGION}:123456789012:on-call") == "NoCredentialsError"


def test_a_service_that_never_answers_is_given_up_without_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        receiver.answer_with(receiver.drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", receiver.url)
        started = time.monotonic()
        topic = Topic(f"arn:aws:sns:{REGION}:123456789012:on-call", name="dripping")
        (outcome,) = send_all([(topic, [LETTER])], within=timedelta(seconds=3))
        assert time.monotonic() - started < 5
        assert outcome.failure
        assert outcome.failure.reason == "no answer in time"
    wait_until(lambda: send_all([(topic, [])])[0].failure is None, what="the end of the try")
    assert receiver.connections == 1
