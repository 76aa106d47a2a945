"""Whether the cache and the provider that the settings name can be reached: asked once, without retries."""

from collections.abc import Iterator

from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.errors import CacheError
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderError
from customer_pipeline.settings import Settings
from customer_pipeline.timestamps import now
from customer_pipeline.variables import PROVIDER_PROFILE, REDIS_URL
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor


def obstacles(settings: Settings) -> Iterator[str]:
    """Yield what stands in the way, one line each: the cache asked for a ping, the provider for one small page."""
    try:
        connect(settings.redis_url).close()
    except CacheError as error:
        yield f"{REDIS_URL.name}: {error}"
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
        yield f"{PROVIDER_PROFILE.name}: {error}"
