"""Lines about the progress of long runs, in their logs."""

import time
from collections.abc import Callable

import dagster as dg

SECONDS_BETWEEN_LINES = 5.0


def lines(context: dg.OpExecutionContext) -> Callable[[object], None]:
    """Return what logs the progress that it is given, seldom enough that nobody minds."""
    told = float("-inf")

    def said(progress: object) -> None:
        nonlocal told
        if time.monotonic() - told >= SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            context.log.info("%s", progress)

    return said
