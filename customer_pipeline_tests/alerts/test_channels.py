"""The channels against real servers: what arrives, what is said when it does not, and how long it may take."""

import socket
import threading
import time
import traceback
from dataclasses import replace
from datetime import timedelta

import pytest

from customer_pipeline.alerts import posting
from customer_pipeline.alerts.channels import Channel, Slack, Topic, Webhook, configured
from customer_pipeline.alerts.courier import send_all
from customer_pipeline.alerts.errors import AlertNotDelivered
from customer_pipeline.alerts.texts import Letter
from customer_pipeline_tests.alerts.receivers import OK, Receiver
from customer_pipeline_tests.provider.wire import all_records_of_all_loggers
from customer_pipeline_tests.servers import free_port, wait_until

LETTER = Letter(
    id="outage_started/1",
    event="outage_started",
    title="crm: provider unavailable <&>",
    text="One.\nTwo.",
    body={"id": "outage_started/1", "windows": 3},
)
SECRETS = ("hunter2", "hunter3")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "ANSWER_TIMEOUT", timedelta(seconds=0.5))


def refusal(channel: Channel) -> str:
    with all_records_of_all_loggers() as records, pytest.raises(AlertNotDelivered) as caught:
        channel.send(LETTER)
    shown = [*(record.getMessage() for record in records), "".join(traceback.format_exception(caught.value))]
    assert not [text for text in shown for secret in SECRETS if secret in text]
    assert caught.value.__context__ is None
    return caught.value.reason


def test_slack_gets_one_text_with_its_special_characters_escaped() -> None:
    with Receiver() as receiver:
        Slack(receiver.url).send(LETTER)
    assert receiver.bodies == [{"text": "*crm: provider unavailable &lt;&amp;&gt;*\nOne.\nTwo."}]
    assert "POST /services/T0/hunter2-and-more?key=hunter3 HTTP/1.1" in receiver.heads[0]
    assert "Content-Type: application/json" in receiver.heads[0]


def test_a_webhook_gets_all_fields() -> None:
    with Receiver(b"HTTP/1.1 204 No Content\r\n\r\n") as receiver:
        Webhook(receiver.url).send(LETTER)
    assert receiver.bodies == [LETTER.body]


@pytest.mark.parametrize("kind", [Slack, Webhook])
@pytest.mark.parametrize("status", [b"400 Bad", b"404 Not Found", b"429 Slow", b"500 Error", b"503 Down"])
def test_an_error_is_reported_by_its_status_and_not_tried_again(kind: type[Slack | Webhook], status: bytes) -> None:
    body = b"hunter2 of jane@example.org"
    with Receiver(
        b"HTTP/1.1 %b\r\nContent-Length: %d\r\nRetry-After: 1\r\n\r\n%b" % (status, len(body), body)
    ) as receiver:
        assert refusal(kind(receiver.url)) == f"it answered {status[:3].decode()}"
    assert receiver.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as elsewhere:
        answer = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        with Receiver(answer.encode()) as receiver:
            assert refusal(Slack(receiver.url)) == f"it answered {status}"
    assert elsewhere.connections == 0


@pytest.mark.usefixtures("hurried")
def test_a_receiver_that_never_answers_is_given_up() -> None:
    with Receiver(None) as receiver:
        assert refusal(Slack(receiver.url)) == "no answer in time"


def test_a_closed_port_is_reported() -> None:
    assert "refused or cut" in refusal(Webhook(f"http://127.0.0.1:{free_port()}/hunter2"))


def test_an_answer_that_is_no_http_is_reported() -> None:
    with Receiver(b"hunter2 says hello\r\n\r\n") as receiver:
        assert "refused or cut" in refusal(Webhook(receiver.url))


def test_tls_that_fails_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_in_clear_text() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")

        thread = threading.Thread(target=answer_in_clear_text)
        thread.start()
        assert "TLS" in refusal(Webhook(f"https://127.0.0.1:{listener.getsockname()[1]}/hunter2"))
        thread.join()


def test_an_endless_body_is_not_read() -> None:
    with Receiver() as receiver:
        receiver.answer_with(receiver.drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"))
        started = time.monotonic()
        Webhook(receiver.url).send(LETTER)
        assert time.monotonic() - started < 2


def test_a_body_of_a_redirect_is_not_read_either() -> None:
    with Receiver() as receiver:
        receiver.answer_with(receiver.drip(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b"x"))
        started = time.monotonic()
        assert refusal(Webhook(receiver.url)) == "it answered 302"
        assert time.monotonic() - started < 2


def test_headers_that_drip_hold_the_round_no_longer_than_allowed_and_one_thread_at_most() -> None:
    with Receiver() as receiver, Receiver() as quick:
        receiver.answer_with(receiver.drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"))
        batches: list[tuple[Channel, list[Letter]]] = [
            (Slack(receiver.url), [LETTER, LETTER]),
            (Webhook(quick.url), [LETTER, LETTER]),
        ]
        started = time.monotonic()
        slow, fast = send_all(batches, within=timedelta(seconds=1))
        assert time.monotonic() - started < 2
        assert (slow.delivered, str(slow.failure)) == (0, "the alert was not delivered to slack: no answer in time")
        assert (fast.delivered, fast.failure) == (2, None)

        again = {outcome.channel: outcome for outcome in send_all(batches, within=timedelta(seconds=1))}
        assert str(again["slack"].failure).endswith("the try before has not ended yet")
        assert again["webhook"].delivered == 2
        assert receiver.connections == 1
    # the connection is cut, and so ends the thread; its second letter was called off
    receiver.answer_with(OK)
    wait_until(lambda: send_all([(Webhook(quick.url, name="slack"), [])])[0].failure is None, what="the thread's end")
    assert receiver.connections == 1


def test_hanging_channels_are_waited_for_side_by_side() -> None:
    with Receiver(None) as one, Receiver(None) as other:
        started = time.monotonic()
        outcomes = send_all([(Slack(one.url), [LETTER]), (Webhook(other.url), [LETTER])], within=timedelta(seconds=1))
        assert time.monotonic() - started < 1.8
        assert all(outcome.failure for outcome in outcomes)
    wait_until(
        lambda: all(outcome.failure is None for outcome in send_all([(Slack(""), []), (Webhook(""), [])])),
        what="the threads' end",
    )


def test_the_letters_after_one_that_was_not_taken_wait_so_that_their_order_holds() -> None:
    with Receiver(OK, b"HTTP/1.1 500 Error\r\n\r\n", OK) as receiver:
        (outcome,) = send_all([(Webhook(receiver.url), [replace(LETTER, body={"n": n}) for n in range(3)])])
    assert outcome.delivered == 1
    assert outcome.failure
    assert outcome.failure.reason == "it answered 500"
    assert [body["n"] for body in receiver.bodies] == [0, 1]


def test_an_error_that_nobody_foresaw_is_an_outcome_that_tells_its_type_alone() -> None:
    class Broken:
        name = "broken"

        def send(self, _: Letter) -> None:
            raise LookupError("hunter2")

    (outcome,) = send_all([(Broken(), [LETTER])])
    assert str(outcome.failure) == "the alert was not delivered to broken: LookupError"


def test_the_environment_chooses_the_channels() -> None:
    assert configured({}) == []
    assert configured({"ALERT_WEBHOOK_URL": ""}) == []
    chosen = configured(
        {
            "ALERT_SLACK_WEBHOOK_URL": "https://hooks.example.org/hunter2",
            "ALERT_WEBHOOK_URL": "https://alerts.example.org/hunter3",
            "ALERT_SNS_TOPIC_ARN": "arn:aws:sns:eu-central-2:123456789012:on-call",
        }
    )
    assert [type(channel) for channel in chosen] == [Slack, Webhook, Topic]
    assert not any(secret in repr(chosen) for secret in SECRETS)
