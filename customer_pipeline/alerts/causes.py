"""Why the cache goes stale, in words for a person on call. Every text of an alert about a cause comes from here.

A kind that is not in the table is told as `unforeseen`: what is written into a run's tags is not repeated.
"""

from dataclasses import dataclass

from customer_pipeline import run_tags

WORKER_LOST = "worker_lost"
MISSED = "missed"

_HEADLINES = {**run_tags.SAID, WORKER_LOST: "a run's process was lost", MISSED: "nothing published"}
# What happens, and what a person can do about it.
_SENTENCES = {
    run_tags.PROVIDER_UNAVAILABLE: (
        "The provider does not answer, or only with server errors.",
        "look at the provider's address in the profile, and at its certificate.",
    ),
    run_tags.PROVIDER_THROTTLED: (
        "The provider says that it is asked too often.",
        "ask the provider for a higher limit, or lower the limits in the profile.",
    ),
    run_tags.PROVIDER_REJECTED: (
        "The provider refuses the requests: the credentials or the filter.",
        "correct the secrets that the profile names, or the profile itself.",
    ),
    run_tags.PROVIDER_MISBEHAVED: (
        "The provider answers, but with something that is no complete list of records.",
        "the failed run says what is wrong with the answer; correct the profile, or tell the provider.",
    ),
    run_tags.CACHE_UNAVAILABLE: (
        "The cache does not answer, or takes no writes.",
        "look at the Redis server: memory, disk, failover.",
    ),
    run_tags.CACHE_REJECTED: (
        "The cache refuses the credentials, a permission or a key.",
        "correct REDIS_URL or the permissions of its user; the newest failed run says which.",
    ),
    run_tags.LANDING: (
        "The landing store cannot be read or written.",
        "look at LANDING_URI: free space, permissions, credentials.",
    ),
    run_tags.PROFILE: (
        "The profile, or a variable that it names, cannot be used.",
        "correct it; `customer-pipeline check` says what is wrong.",
    ),
    run_tags.CHECKS: (
        "A check found the fetched data unfit for publication.",
        "the failed run says which check, and why.",
    ),
    run_tags.UNFORESEEN: (
        "A run failed with an error that was not foreseen.",
        "the failed run names the type and the place of the error.",
    ),
    WORKER_LOST: (
        "A run's process was killed, or did not start.",
        "look at the memory and the logs of the machine that executes runs.",
    ),
    MISSED: (
        "No run has published what was due: the daemon does not run, the schedule is off, or runs hang.",
        "see that the Dagster daemon runs and that customer_sync_schedule is on.",
    ),
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why windows stay unpublished.

    Attributes:
        kind: a value of the run tag FAILURE, `worker_lost` or `missed`.
        permanent: whether a person has to mend it.
    """

    kind: str
    permanent: bool = False

    def __post_init__(self) -> None:
        if self.kind not in _SENTENCES:
            object.__setattr__(self, "kind", run_tags.UNFORESEEN)

    @property
    def headline(self) -> str:
        """A few words, without a full stop."""
        return _HEADLINES[self.kind]

    @property
    def sentence(self) -> str:
        """What happens, in one sentence."""
        return _SENTENCES[self.kind][0]

    @property
    def needs(self) -> str:
        """What a person can do about it: a sentence that goes on after a colon."""
        return _SENTENCES[self.kind][1]

    @property
    def passes(self) -> bool:
        """Whether waiting is all that this side can do."""
        return not self.permanent and self.kind in {run_tags.PROVIDER_UNAVAILABLE, run_tags.PROVIDER_THROTTLED}

    @property
    def is_of_cache(self) -> bool:
        """Whether readers may be met by it too."""
        return self.kind in {run_tags.CACHE_UNAVAILABLE, run_tags.CACHE_REJECTED}
