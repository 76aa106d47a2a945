"""The provider client: what the rest of the project sees of a provider."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from customer_pipeline import timestamps
from customer_pipeline.provider.errors import ProviderMisbehaved
from customer_pipeline.provider.lookup import Lookup, Lookups
from customer_pipeline.provider.permits import Permits
from customer_pipeline.provider.profile import Profile, resolve
from customer_pipeline.provider.transport import Transport
from customer_pipeline.provider.walk import Walk
from customer_pipeline.windows import Window

_SECOND = timedelta(seconds=1)


class ProviderClient:
    """Asks one provider over one HTTP session, one request at a time; the retry budget is the client's.

    Args:
        profile: what the provider is like.
        environment: where the profile's `${NAME}` references are looked up.
        sleep: how retries wait, in seconds; by default in a way that `end_soon` cuts short.
        permits: what each request waits for before it is sent; without it, for nothing.

    Attributes:
        form: a fingerprint of what decides which provider is asked, how, and how its records are read; of no secret.

    Raises:
        ProfileError: if an environment variable that the profile names is not set.
    """

    def __init__(
        self,
        profile: Profile,
        environment: Mapping[str, str],
        *,
        sleep: Callable[[float], object] | None = None,
        permits: Permits | None = None,
    ) -> None:
        self.profile = profile
        # Another secret may belong to the same provider; another address does not.
        described = resolve(profile.model_dump_json(exclude={"auth"}), environment)
        self.form = hashlib.sha256(described.encode()).hexdigest()[:16]
        self._transport = Transport(profile, environment, sleep=sleep, permits=permits)

    def walk(self, window: Window) -> Walk:
        """Return a walk over every record whose `updated_at` lies in the window or in the lookback before it."""
        return Walk(self._transport, self.profile, window)

    def walk_exactly(self, window: Window) -> Walk:
        """Return a walk over every record whose `updated_at` may lie in the window, which may be of any length.

        Its retry budget is its own.
        """
        self._transport.renew_budget()
        return Walk(self._transport, self.profile.model_copy(update={"lookback": timedelta(0)}), window, generous=True)

    def lookup(self, customer_id: str) -> Lookup:
        """Ask for one customer by its id, at the profile's lookup endpoint; that there is none is an answer too.

        Raises:
            ProviderError: one of its four kinds; no message holds the id.
            ProfileError: if the profile names no such endpoint.
        """
        return Lookups(self._transport, self.profile)(customer_id)

    def can_look_up(self, customer_id: str) -> bool:
        """Return whether the profile's lookup endpoint can be asked for that id: not for `.` as a part of its path."""
        endpoint = self.profile.lookup
        return endpoint is not None and endpoint.path_of(customer_id) is not None

    def require_all(self, window: Window, *, seen: int) -> None:
        """Return if as many different records of a window were seen as the provider has there by its own account.

        A provider that is not told where a window ends counts what lies behind it too, and is not asked. Of the others
        the last moments are left out: how exactly they compare is not known.

        Raises:
            ProviderMisbehaved: if they are fewer.
        """
        sent = self.profile.list.datetimes
        resolution = timestamps.sent_resolution(format=sent.format, digits=sent.digits)
        end = window.end - 2 * max(resolution, _SECOND)
        if not self.profile.list.bounded or end <= window.start:
            return
        walk = self.walk_exactly(Window(window.start, end))
        for _ in walk:
            break
        if walk.stated is not None and seen < walk.stated:
            raise ProviderMisbehaved(
                f"{seen} records were found, and the provider states {walk.stated}; "
                "check that it sorts as pagination.order says, or remove pagination.order or pagination.total",
                walk.facts,
            )

    def end_soon(self) -> None:
        """Let walks in other threads end with their present request."""
        self._transport.end_soon()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ProviderClient({self.profile.name!r})"
