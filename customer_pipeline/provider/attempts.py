"""What is counted while requests are sent: the tries of one, and the traffic of all."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

import requests

from customer_pipeline.provider.answers import request_id
from customer_pipeline.provider.errors import RequestFacts


@dataclass(slots=True)
class Traffic:
    """What went over the wire so far."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waited: timedelta = timedelta(0)


@dataclass(slots=True)
class Attempts:
    """One request and its tries; `shown` is the profile's URL: a link is part of a body, and a lookup's holds an id."""

    shown: str
    request_id_header: str
    started: float = field(default_factory=time.monotonic)
    count: int = 0

    def facts(self, response: requests.Response | None) -> RequestFacts:
        """Return what an error about the present try should carry."""
        return RequestFacts(
            method="GET",
            url=self.shown,
            status=response.status_code if response is not None else None,
            attempts=self.count,
            elapsed=timedelta(seconds=time.monotonic() - self.started),
            request_id=request_id(response.headers, self.request_id_header) if response is not None else None,
        )
