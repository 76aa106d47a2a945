"""The preview of a backfill: the steps of each window, on a temporary landing store and a copy of the cache."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.preview.copying import Copy
from customer_pipeline.preview.publishing import WatchingPublisher
from customer_pipeline.preview.replaying import ReplayStore
from customer_pipeline.preview.report import Report, WindowPreview
from customer_pipeline.preview.scratch import scratch
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.request_budget.budget import open_budget
from customer_pipeline.settings import Settings
from customer_pipeline.steps import ingestion, normalization, publication
from customer_pipeline.windows import Window

_SECONDS_BETWEEN_LINES = 5.0


def run(
    settings: Settings,
    windows: list[Window],
    *,
    replay: bool,
    sample: int,
    show_values: bool,
    environ: Mapping[str, str],
    say: Callable[[str], None],
) -> Report:
    """Return what publishing `windows`, oldest first, would do to the cache as it is now.

    Requests to the provider are those of a background run, within the same limits; that they are counted is all that is
    written to Redis. In the main thread, SIGTERM and SIGHUP end it with `SystemExit`, as Ctrl-C does with
    `KeyboardInterrupt`.

    Args:
        settings: of the pipeline.
        windows: of ten minutes each.
        replay: whether to take the records from the landing store instead of asking the provider.
        sample: for how many customers to say which fields would differ.
        show_values: whether to say their values; they are personal data.
        environ: where the profile's secrets are looked up.
        say: gets a line about the progress now and then.

    Raises:
        PreviewUnavailable: if there is no Valkey for this platform, or it does not start.
        ProviderError: if the provider does not answer.
        NotLanded: if a window to replay was never ingested.
        LandingError: if the landing store cannot be read, or the temporary folder not written.
        CacheError: if the cache cannot be read, or would refuse a customer.
    """
    keys = CacheKeys(settings.prefix)
    progress = _Progress(total=len(windows), say=say)
    with contextlib.closing(connect(settings.redis_url)) as source, scratch(environ) as place:
        copy = Copy(source, place.cache, keys=keys)
        publisher = WatchingPublisher(place.cache, keys=keys, copy=copy, sample=sample)
        coverage = Coverage(place.cache, keys=keys, start=settings.start)
        with _landed(settings, replay=replay, environ=environ, folder=place.folder / "landing") as land:
            previews = []
            for window in sorted(windows):
                previews.append(_preview(window, land(window), settings, publisher=publisher, coverage=coverage))
                progress.advance()
        return Report(
            replay=replay,
            windows=tuple(previews),
            customers=copy.customers,
            changed=copy.changed,
            sample=publisher.sample(show_values=show_values),
            with_values=show_values,
        )


@dataclass(frozen=True, kw_only=True)
class _Landed:
    """Where the raw records of a window are, and how many were left out before, since their customers are erased."""

    store: LandingStore
    suppressed: int = 0


def _preview(
    window: Window, landed: _Landed, settings: Settings, *, publisher: WatchingPublisher, coverage: Coverage
) -> WindowPreview:
    normalized = normalization.normalize(window, profile=settings.profile, landing=landed.store)
    published = publication.publish(window, landing=landed.store, publisher=publisher, coverage=coverage)
    return WindowPreview(
        window=window,
        fetched=normalized.fetched + landed.suppressed,
        quarantined=normalized.quarantined_total,
        outcomes=published.outcomes,
        suppressed=landed.suppressed + normalized.suppressed + published.outcomes.suppressed,
    )


@contextlib.contextmanager
def _landed(
    settings: Settings, *, replay: bool, environ: Mapping[str, str], folder: Path
) -> Iterator[Callable[[Window], _Landed]]:
    """Give what lands the raw records of a window, and forgets those of the one before."""

    def forget() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    source = LandingStore(settings.landing_uri)
    if replay:

        def from_store(_window: Window) -> _Landed:
            forget()
            return _Landed(store=ReplayStore(folder.as_uri(), source=source))

        yield from_store
        return
    with (
        open_budget(settings.profile, url=settings.redis_url, prefix=settings.prefix, background=True) as permits,
        ProviderClient(settings.profile, environ, permits=permits) as client,
    ):

        def from_provider(window: Window) -> _Landed:
            forget()
            store = LandingStore(folder.as_uri(), notes=source.notes)
            ingested = ingestion.ingest(window, client=client, landing=store)
            return _Landed(store=store, suppressed=ingested.suppressed)

        yield from_provider


@dataclass(kw_only=True)
class _Progress:
    total: int
    say: Callable[[str], None]
    done: int = 0
    said_at: float = 0.0

    def __post_init__(self) -> None:
        self.said_at = time.monotonic()

    def advance(self) -> None:
        self.done += 1
        if time.monotonic() - self.said_at >= _SECONDS_BETWEEN_LINES:
            self.said_at = time.monotonic()
            self.say(f"previewed {self.done:,} of {self.total:,} windows")
