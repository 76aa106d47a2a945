"""One publication to a topic of AWS SNS. Credentials and endpoint are found as boto3 finds them."""

from customer_pipeline.alerts.errors import AlertNotDelivered
from customer_pipeline.alerts.posting import ANSWER_TIMEOUT, CONNECT_TIMEOUT
from customer_pipeline.alerts.texts import Letter

_LONGEST_SUBJECT = 99


def publish(arn: str, letter: Letter, *, channel: str) -> None:
    """Publish `letter` once: its title as the subject, its text as the message, `event` and `id` as attributes.

    Raises:
        AlertNotDelivered: if the service did not acknowledge it.
    """
    import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 -- slow to import, and most have no topic
    from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_TIMEOUT.total_seconds(),
        read_timeout=ANSWER_TIMEOUT.total_seconds(),
        retries={"total_max_attempts": 1},
    )
    request: dict[str, object] = {
        "TopicArn": arn,
        "Subject": _subject(letter.title),
        "Message": letter.text,
        "MessageAttributes": {
            "event": {"DataType": "String", "StringValue": letter.event},
            "id": {"DataType": "String", "StringValue": letter.id},
        },
    }
    if arn.endswith(".fifo"):
        request |= {"MessageGroupId": "customer_pipeline", "MessageDeduplicationId": letter.id}
    failed = None
    try:
        # the default session is no affair of threads
        client = boto3.session.Session().client("sns", region_name=arn.split(":")[3], config=config)
        try:
            client.publish(**request)
        finally:
            client.close()
    except ClientError as error:
        failed = f"SNS refused it ({error.response.get('Error', {}).get('Code', 'without a code')})"
    except (BotoCoreError, OSError, ValueError) as error:
        failed = type(error).__name__
    if failed:
        raise AlertNotDelivered(channel, failed)


def _subject(title: str) -> str:
    """Return what SNS takes for a subject: one line of ASCII, shorter than 100 characters."""
    line = " ".join(title.encode("ascii", "replace").decode().split())
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 3]}..."
