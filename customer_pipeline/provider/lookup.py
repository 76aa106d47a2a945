"""One customer by its id: what the provider says of it now."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import requests

from customer_pipeline.customers.identity import Identifier
from customer_pipeline.provider.answers import looked_up
from customer_pipeline.provider.attempts import Attempts
from customer_pipeline.provider.bodies import Body
from customer_pipeline.provider.errors import ProviderMisbehaved, ProviderRejected, RequestFacts
from customer_pipeline.provider.profile import Profile, ProfileError
from customer_pipeline.provider.transport import Transport


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the provider says of one customer.

    Attributes:
        record: the record's JSON text; None where there is no such customer.
        fetched_at: when it was asked. A change that the answer missed happened later.
        clock_difference: the provider's clock minus ours; None where the answer did not say its time.
    """

    record: str | None = field(repr=False)
    fetched_at: datetime
    clock_difference: timedelta | None

    @property
    def absent(self) -> bool:
        """Whether there is no such customer."""
        return self.record is None


class Lookups:
    """Asks for customers one by one, at the profile's lookup endpoint.

    Raises:
        ProfileError: if the profile names none.
    """

    def __init__(self, transport: Transport, profile: Profile) -> None:
        if profile.lookup is None:
            raise ProfileError(f"the profile {profile.name} names no `lookup`")
        self._transport = transport
        self._endpoint = profile.lookup
        self._content_types = profile.list.content_types
        self._identifier = Identifier(profile)
        self._shown = transport.shown(profile.lookup.path)
        self._not_asked = Attempts(self._shown, profile.request_id_header).facts(None)

    def __call__(self, customer_id: str) -> Lookup:
        """Ask for one customer.

        Raises:
            ProviderError: one of its four kinds; no message holds the id.
        """
        if (path := self._endpoint.path_of(customer_id)) is None:
            raise ProviderRejected("a customer whose id is a step in lookup.path cannot be looked up", self._not_asked)
        url = f"{self._transport.base_url}/{path}"
        answer = self._transport.get(url, shown=self._shown, read=self._read)
        if not answer.body.records:
            return Lookup(None, answer.sent_at, answer.clock_difference)
        (found,), _ = self._identifier(answer.body.records)
        if found != customer_id:
            raise ProviderMisbehaved(
                "a lookup was answered with the record of another customer, or with what is no customer; correct "
                "lookup.path or lookup.record",
                answer.facts,
                transient=False,
            )
        return Lookup(answer.body.texts[0], answer.sent_at, answer.clock_difference)

    def _read(self, response: requests.Response, content: bytes, facts: RequestFacts) -> Body:
        return looked_up(response, content, endpoint=self._endpoint, content_types=self._content_types, facts=facts)
