"""Whether the cache, the landing store and the provider that the settings name can be used: asked once, no retries."""

from collections.abc import Iterator

from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.errors import CacheError
from customer_pipeline.landing.errors import LandingError, explained
from customer_pipeline.landing.storage import Storage
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderError
from customer_pipeline.settings import Settings, redacted
from customer_pipeline.timestamps import now
from customer_pipeline.variables import LANDING_URI, PROVIDER_PROFILE, REDIS_URL
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor


def obstacles(settings: Settings) -> Iterator[str]:
    """Yield what stands in the way, one line each."""
    for ask in (cache_obstacle, landing_obstacle, provider_obstacle):
        if obstacle := ask(settings):
            yield obstacle


def cache_obstacle(settings: Settings) -> str | None:
    """Ask the cache for a ping; return what stands in the way."""
    try:
        connect(settings.redis_url).close()
    except CacheError as error:
        return f"{REDIS_URL.name} ({redacted(settings.redis_url)}): {what_to_say(error)}"
    return None


def landing_obstacle(settings: Settings) -> str | None:
    """Write an empty file into the landing store and remove it; return what stands in the way."""
    try:
        storage = Storage(settings.landing_uri)
        with explained(storage.uri):
            storage.size("a-file-that-nobody-writes")
            name, stream = storage.create_temporary()
            stream.close()
        storage.discard(name)
    except LandingError as error:
        return f"{LANDING_URI.name}: {error}"
    return None


def provider_obstacle(settings: Settings) -> str | None:
    """Ask the provider for one small page; return what stands in the way."""
    profile = settings.profile
    once = profile.model_copy(
        update={
            "retry": profile.retry.model_copy(update={"attempts": 1}),
            "pagination": profile.pagination.model_copy(update={"size": 1}),
        }
    )
    end = floor(now())
    try:
        with ProviderClient(once, settings.secrets) as client:
            next(iter(client.walk(Window(end - WINDOW_LENGTH, end))), None)
    except ProviderError as error:
        return f"{PROVIDER_PROFILE.name}: {what_to_say(error)}"
    return None


def what_to_say(error: CacheError | ProviderError) -> str:
    """Return what an error says to a person who runs no window: its advice is for those who do, mostly."""
    if isinstance(error, ProviderError):
        return f"{error.reason} ({error.request})"
    return error.reason if error.transient else f"{error.reason}. {error.advice}"
