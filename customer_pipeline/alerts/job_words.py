"""The jobs beside the windows, and what is said of them when they fail and when they succeed again. Pure."""

from customer_pipeline.alerts.causes import Cause
from customer_pipeline.alerts.messages import Message

ERASURE = "customer_erasure"
_NEXT = {
    "customer_bootstrap": (
        "The load is tried again by itself, after an hour at the latest; after an interruption it goes on where it "
        "stopped."
    ),
    "customer_reconciliation": (
        "customer_reconciliation_schedule tries again, once a day where it is on; at once: customer-pipeline reconcile."
    ),
    "landing_retention": "landing_retention_schedule tries again every night; until then more is kept than has to be.",
    ERASURE: "customer-pipeline erase goes on where it stopped; the customer stays suppressed until then.",
}
# Whose failures are told.
JOBS = tuple(_NEXT)


def headline(message: Message) -> str:
    """Return the title of a message about a job, without what it asks of a person."""
    if message.event == "job_recovered":
        return f"{message.job} has succeeded again"
    return f"{message.job} failed: {Cause(message.cause).headline}" if message.cause else f"{message.job} failed"


def sentences(message: Message) -> list[str]:
    """Return the lines of a message about a job."""
    job = message.job or ""
    if message.event == "job_recovered":
        failing = f"{job} had failed since {message.since:%Y-%m-%d %H:%M} UTC." if message.since else ""
        if job == ERASURE:
            return [failing, "Each run erases one customer: repeat the one that failed, unless it was that."]
        return [failing, "Nothing is left to do."]
    if message.outage:
        return [f"{job} failed too, as the outage that was told lasts.", _NEXT[job]]
    cause = message.told or (Cause(message.cause).sentence if message.cause else "The run says why.")
    if not message.permanent:
        needs = ""
    elif job == ERASURE:
        needs = "Needs you: repeat it. "
    else:
        needs = "Needs you: mend what the first line names. "
    return [
        cause if cause.endswith(".") else f"{cause}.",
        f"{needs}{_NEXT[job]}",
        "You get one more message once a run of it has succeeded.",
    ]
