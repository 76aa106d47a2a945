"""What Prometheus is told: nothing of a customer, and of a request the template of its route."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from customer_pipeline.api.reading import Found
from customer_pipeline.cache.freshness import Freshness
from customer_pipeline.timestamps import now

MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class Metrics:
    """The metrics of this process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "customers_api_request_seconds",
            "Time to answer, by route; streams are left out.",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._requests = Counter(
            "customers_api_requests_total",
            "Answers, by route and status.",
            ["route", "status"],
            registry=self._registry,
        )
        reads = Counter(
            "customers_api_reads_total", "Customers that were asked for by id.", ["found"], registry=self._registry
        )
        self._live, self._deleted, self._unknown = (reads.labels(each) for each in ("live", "deleted", "unknown"))
        self.streams = Gauge("customers_api_streams", "Streams of changes that are open.", registry=self._registry)
        self._lag = Gauge(
            "customers_api_freshness_lag_seconds", "Age of as_of; NaN when unknown.", registry=self._registry
        )
        self._gaps = Gauge(
            "customers_api_coverage_gaps", "Intervals that should be there; NaN when unknown.", registry=self._registry
        )
        self._known: dict[tuple[str, int], Counter] = {}
        self._timed: dict[str, Histogram] = {}

    def answered(self, route: str, status: int, seconds: float | None) -> None:
        """Count an answer; `seconds` is None for a stream."""
        counter = self._known.get((route, status))
        if counter is None:
            counter = self._known[route, status] = self._requests.labels(route, str(status))
        counter.inc()
        if seconds is not None:
            histogram = self._timed.get(route)
            if histogram is None:
                histogram = self._timed[route] = self._seconds.labels(route)
            histogram.observe(seconds)

    def read(self, found: Found) -> None:
        """Count a customer who was asked for by id."""
        (self._live if found.document else self._deleted if found.is_deleted else self._unknown).inc()

    def text(self, freshness: Freshness | None) -> bytes:
        """Return everything in Prometheus's text format."""
        self._lag.set(math.nan if freshness is None else (now() - freshness.as_of).total_seconds())
        self._gaps.set(math.nan if freshness is None else len(freshness.gaps))
        return generate_latest(self._registry)
