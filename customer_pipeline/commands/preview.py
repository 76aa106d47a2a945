"""What `customer-pipeline backfill --dry-run` prints: what would change, found out without a change."""

import os

from customer_pipeline.commands import bounds
from customer_pipeline.commands.output import complain, say
from customer_pipeline.commands.surroundings import environment
from customer_pipeline.instance.backfills import Request
from customer_pipeline.settings import Settings
from customer_pipeline.timestamps import now
from customer_pipeline.windows import split


def preview(request: Request, *, sample: int, show_values: bool) -> int:
    """Say what publishing the windows would change; return the exit code.

    Raises:
        BoundsError: if the range holds windows that the pipeline does not have.
        SettingsError: if the environment cannot be used.
    """
    # Slow to import.
    from customer_pipeline import preview as previews  # noqa: PLC0415
    from customer_pipeline.cache.errors import CacheError  # noqa: PLC0415
    from customer_pipeline.landing.errors import LandingError  # noqa: PLC0415
    from customer_pipeline.provider.errors import ProviderError  # noqa: PLC0415

    environ = environment(os.environ)
    settings = Settings.from_environment(environ)
    bounds.require_known(request.windows, bounds.all_windows(settings.start, now()))
    try:
        report = previews.run(
            settings,
            list(split(request.windows.start, request.windows.end)),
            replay=request.replay,
            sample=sample,
            show_values=show_values,
            environ=environ,
            say=say,
        )
    except (previews.PreviewUnavailable, ProviderError, LandingError, CacheError) as error:
        return complain(error)
    say(previews.text(report))
    return 0
