"""What bounds a request: how long it may take, how often it is tried, and what the provider allows."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from customer_pipeline.provider.values import Duration, PositiveDuration, Strict

_SHORTEST_PERIOD = timedelta(seconds=1)


class Timeouts(Strict):
    """Longest waits: for the connection, between two bytes of an answer, and for a whole body."""

    connect: PositiveDuration = timedelta(seconds=5)
    read: PositiveDuration = timedelta(seconds=30)
    total: PositiveDuration = timedelta(minutes=2)


class Retry(Strict):
    """Retries of transient errors: exponential backoff with full jitter."""

    attempts: Annotated[int, Field(ge=1, le=100)] = Field(5, description="Tries of one request, the first included.")
    base: Duration = Field(timedelta(milliseconds=500), description="Upper bound of the first wait; it doubles.")
    cap: Duration = Field(timedelta(seconds=30), description="Upper bound of any wait.")
    budget: Duration = Field(
        timedelta(minutes=2),
        description="All waiting between tries that a step may do, and the longest wait of a request for `limits`.",
    )


class Limits(Strict):
    """What the provider allows, counted over all runs and processes that share the cache and its prefix.

    Left out, every run asks one request at a time and as often as it can, and no run knows of another.
    """

    requests: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None,
        description=(
            "Most requests in any `period`, retries and redirects included. After a burst of a fifth they are spread "
            "evenly. Runs that are not live get three quarters at most. Left out: as many as there is time for."
        ),
    )
    period: PositiveDuration | None = Field(None, description="The period of `requests`, from 1s; such as 1m.")
    concurrent: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description=(
            "Most requests at the same time; a run over a range asks for as many windows at once. Where it is more "
            "than one, one is kept for the live run. Left out: one for each run, and runs are not counted together."
        ),
    )

    @model_validator(mode="after")
    def _a_rate_is_whole(self) -> Self:
        if self.requests is not None and self.period is None:
            raise ValueError("limits.requests needs limits.period, such as 1m")
        if self.period is not None and self.requests is None:
            raise ValueError("limits.period needs limits.requests, the most requests in it")
        if self.period is not None and self.period < _SHORTEST_PERIOD:
            raise ValueError("limits.period must be 1s or longer; divide limits.requests in proportion")
        return self

    def require_patience(self, retry: Retry) -> None:
        """Look whether requests can wait for their turn.

        Raises:
            ValueError: if the retry budget ends before it comes.
        """
        if self.requests is None or self.period is None:
            return
        # A run that is not live waits nearly that long, even when it is the only one.
        wait = 2 * self.period / self.requests
        if retry.budget < wait:
            raise ValueError(
                f"limits.requests is so small that a request may wait {wait.total_seconds():g} s for its turn; "
                "raise retry.budget to more than that"
            )

    @property
    def counted(self) -> bool:
        """Whether requests are counted over all runs, which takes the cache."""
        return self.requests is not None or self.concurrent is not None

    def at_once(self, *, background: bool) -> int:
        """Return how many requests one run may have under way."""
        most = self.concurrent or 1
        return most - 1 if background and most > 1 else most
