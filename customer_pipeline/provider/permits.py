"""What a request waits for before it is sent: a permit. Who counts them, and where, is not the provider's to know."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Protocol


class PermitRefused(Exception):  # noqa: N818 -- says what is the case
    """No permit came in time: the pipeline has used up what it may ask, in other runs too."""


class Permits(Protocol):
    """Gives one permit for each request that is sent, tries and redirects included."""

    def permit(self) -> AbstractContextManager[timedelta]:
        """Wait for a permit and hold it until the answer is there; the value is how long was waited.

        Raises:
            PermitRefused: if none came in time; the request must not be sent.
        """
        ...


class Unlimited:
    """Permits without end, for a provider whose profile names no limits."""

    @contextmanager
    def permit(self) -> Iterator[timedelta]:
        """Give a permit at once."""
        yield timedelta(0)
