"""The preview of a backfill: the steps of each window, on a temporary landing store and a copy of the cache."""

from collections.abc import Callable, Mapping

from customer_pipeline.preview.report import Report
from customer_pipeline.settings import Settings
from customer_pipeline.windows import Window


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
    """Return what publishing `windows`, oldest first, would do.

    Args:
        settings: of the pipeline.
        windows: ten-minute windows.
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
        CacheError: if the cache cannot be read, or would refuse a document.
    """
    raise NotImplementedError
